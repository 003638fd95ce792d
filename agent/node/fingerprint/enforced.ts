/** Fact: which limits the kernel holds tasks to. */
import type { NodeFacts } from "../../contract/node.ts";

/** The process executor sets no limits: what a task asked for is only accounted. */
export function enforcedFact(): NodeFacts["enforced"] {
  return [];
}
