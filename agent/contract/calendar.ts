/** When the calendar day and month of a moment began in a time zone; days of 23 and 25 hours included. */

const dayMs = 86_400_000;
const minuteMs = 60_000;

/** ms since the epoch. Throws a RangeError for an unknown time zone. */
export function startOfDay(now: number, zone: string): number {
  // No calendar day is longer than 25 hours.
  return firstWithSame(now, 26 * 60 * minuteMs, (at) => dateIn(at, zone));
}

/** ms since the epoch. Throws a RangeError for an unknown time zone. */
export function startOfMonth(now: number, zone: string): number {
  return firstWithSame(now, 32 * dayMs, (at) => dateIn(at, zone).slice(0, 7));
}

/** The first full minute at most `spanMs` before `now` that has the same text; clocks are set at full minutes. */
function firstWithSame(now: number, spanMs: number, textAt: (at: number) => string): number {
  const wanted = textAt(now);
  let after = Math.floor(now / minuteMs);
  let before = Math.floor((now - spanMs) / minuteMs);
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (textAt(middle * minuteMs) === wanted) after = middle;
    else before = middle;
  }
  return after * minuteMs;
}

/** Making a format takes far longer than using it. */
const formats = new Map<string, Intl.DateTimeFormat>();

/** YYYY-MM-DD. Throws a RangeError for an unknown time zone. */
export function dateIn(at: number, zone: string): string {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
    formats.set(zone, format);
  }
  return format.format(at);
}
