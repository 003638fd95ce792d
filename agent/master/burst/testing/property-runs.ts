/** How often a property is tried: so often in the check, SPILLWAY_PROPERTY_RUNS times as often where there is time for more. */
export function propertyRuns(runs: number): { readonly numRuns: number } {
  return { numRuns: runs * Number(process.env.SPILLWAY_PROPERTY_RUNS ?? 1) };
}
