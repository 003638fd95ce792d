/** What a preview found, as lines for people. */
import { ceilingText } from "../stacks/burst-ceiling.ts";
import type { Preview } from "../stacks/workflow/up.ts";
import { print } from "./output.ts";

const marks: Record<string, string> = { create: "+", update: "~", replace: "±", delete: "-" };

export function showPlan({ changes, hourly, bursts }: Preview): void {
  if (changes.length === 0) print("Nothing to change.");
  for (const { name, operation } of changes) print(`  ${marks[operation] ?? "?"} ${name.padEnd(16)} ${operation}`);
  if (changes.length > 0) print(`  cost: $${hourly.toFixed(2)}/hour, by your own prices`);
  if (bursts !== undefined) print(`  ${ceilingText(bursts)}`);
}
