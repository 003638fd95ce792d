import { expect, test } from "vitest";
import { formatUsd } from "./quantities.ts";

test("money is told to the cent, and below a dollar to three digits", () => {
  const amounts: [number, string][] = [
    [0, "$0.00"],
    [11.2, "$11.20"],
    [0.1, "$0.10"],
    [0.096, "$0.096"],
    [0.30000000000000004, "$0.30"],
    [0.000123456, "$0.000123"],
    [1e-9, "$0.00"],
    [0.9999, "$1.00"],
  ];
  for (const [amount, text] of amounts) expect(formatUsd(amount)).toBe(text);
});
