/**
 * How often a cloud takes spot machines of a type back, by its own word: what clouds tell about the room they have for them. Both
 * tell it in the same five bands, AWS of the last month, Azure of an hour.
 */

/** The least share of each band: under 5 %, 5–10 %, 10–15 %, 15–20 %, more. */
export const reclaimBands: readonly number[] = [0, 0.05, 0.1, 0.15, 0.2];
