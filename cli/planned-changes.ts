/** What a preview found, as lines for people. */
import type { PlannedChange } from "../stacks/workflow/up.ts";
import { print } from "./output.ts";

const marks: Record<string, string> = { create: "+", update: "~", replace: "±", delete: "-" };

export function showPlan(planned: readonly PlannedChange[]): void {
  if (planned.length === 0) return print("Nothing to change.");
  for (const { name, operation } of planned) print(`  ${marks[operation] ?? "?"} ${name.padEnd(16)} ${operation}`);
  return print("  cost: $0.00/hour (local machines)");
}
