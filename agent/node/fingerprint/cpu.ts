/** Fact: how many processors this process may use. */
import { availableParallelism } from "node:os";

export function cpuFact(): number {
  return Math.max(1, availableParallelism());
}
