/** Questions to the person at the terminal. */
import { createInterface } from "node:readline/promises";
import { SpillwayError } from "../agent/contract/errors.ts";

/**
 * The answer, trimmed.
 * @param instead what to type where there is no terminal
 * @throws SpillwayError (usage) without a terminal.
 */
export async function ask(question: string, instead: string): Promise<string> {
  refuseWithoutTerminal(instead);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(question);
  prompt.close();
  return answer.trim();
}

/** For those who have work to do before they ask. */
export function refuseWithoutTerminal(instead: string): void {
  if (process.stdin.isTTY) return;
  throw new SpillwayError("without a terminal it is not asked, so it must be told", { code: "usage", hint: instead });
}
