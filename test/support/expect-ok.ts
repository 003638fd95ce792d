/** A command that has to succeed: else the test fails with all it said. */
import { expect } from "vitest";
import type { Checkout } from "./checkout.ts";
import type { CommandOutcome } from "./outcome-of.ts";

export async function expectOk(checkout: Checkout, words: readonly string[], env: Record<string, string> = {}): Promise<CommandOutcome> {
  const outcome = await checkout.spillway(words, { env });
  expect(outcome, `./spillway ${words.join(" ")}\n${outcome.stdout}\n${outcome.stderr}`).toMatchObject({ code: 0 });
  return outcome;
}
