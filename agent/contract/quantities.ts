/** Quantities as people write them (`500m`, `8Gi`, `30s`), normalised once, at the edge. */
import { z } from "zod";

const memoryFactorsMiB: Record<string, number> = {
  Ki: 1 / 1024,
  Mi: 1,
  Gi: 1024,
  Ti: 1024 * 1024,
  K: 1000 / 1024 ** 2,
  M: 1000 ** 2 / 1024 ** 2,
  G: 1000 ** 3 / 1024 ** 2,
  T: 1000 ** 4 / 1024 ** 2,
};
const durationFactorsMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `2`, `0.5`, `"500m"`, `"2"` → millicores. Throws a RangeError that says what is accepted. */
export function parseCpu(value: string | number): number {
  const text = String(value).trim();
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(text);
  if (match === null) throw new RangeError(`"${text}" is not a cpu quantity; write cores (2, 0.5) or millicores (500m)`);
  return Math.round(Number(match[1]) * (match[2] === "m" ? 1 : 1000));
}

/** `"8Gi"`, `"512Mi"`, `"8G"` → MiB, rounded up. A number without a unit is refused: it is never clear. */
export function parseMemory(value: string | number): number {
  const text = String(value).trim();
  const match = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|K|M|G|T)$/.exec(text);
  if (match === null) throw new RangeError(`"${text}" is not an amount of memory or disk; write it with a unit (512Mi, 8Gi)`);
  return Math.ceil(Number(match[1]) * (memoryFactorsMiB[match[2] as string] as number));
}

/** `"250ms"`, `"30s"`, `"5m"`, `"2h"`, `"1d"` → ms. */
export function parseDuration(value: string | number): number {
  const text = String(value).trim();
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) throw new RangeError(`"${text}" is not a duration; write it with a unit (30s, 5m, 2h)`);
  return Math.round(Number(match[1]) * (durationFactorsMs[match[2] as string] as number));
}

function quantity(parse: (value: string | number) => number) {
  return z.union([z.string(), z.number()]).transform((value, context) => {
    try {
      return parse(value);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
      return z.NEVER;
    }
  });
}

/** zod: a cpu quantity as a person writes it → millicores. */
export const cpuQuantity = quantity(parseCpu);
/** zod: an amount of memory or disk as a person writes it → MiB. */
export const memoryQuantity = quantity(parseMemory);
/** zod: a duration as a person writes it → ms. */
export const durationQuantity = quantity(parseDuration);

/** Millicores → `2`, `0.5` (cores, at most three decimals). */
export function formatCpu(millicores: number): string {
  return String(Number((millicores / 1000).toFixed(3)));
}

/** MiB → `512 MiB`, `8 GiB`, `1.5 GiB`. */
export function formatMemory(mib: number): string {
  return mib < 1024 ? `${mib} MiB` : `${Number((mib / 1024).toFixed(1))} GiB`;
}

/** ms → `250 ms`, `4.2 s`, `3 min`, `2.5 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`;
  if (ms < 3_600_000) return `${Number((ms / 60_000).toFixed(1))} min`;
  return `${Number((ms / 3_600_000).toFixed(1))} h`;
}

/** USD → `$11.20`, `$0.10`, `$0.096`: to the cent, and below a dollar to three digits. */
export function formatUsd(amount: number): string {
  if (Math.abs(amount) >= 1 || Math.abs(amount) < 1e-6) return `$${amount.toFixed(2)}`;
  const [whole = "0", decimals = ""] = String(Number(amount.toPrecision(3))).split(".");
  return whole === "1" ? "$1.00" : `$${whole}.${decimals.padEnd(2, "0")}`;
}
