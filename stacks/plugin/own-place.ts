/**
 * Places on the computer of whoever runs it. A stack that several operators share names the places of the one who changed it
 * last, so they are no difference, and what is read or deleted is looked for in one's own clone.
 */
import { basename, dirname, join } from "node:path";

/** The same file or directory of that environment in this operator's clone; `SPILLWAY_LOGS` says where that is. */
export function ownPlace(named: string, environment: string): string {
  const root = process.env.SPILLWAY_LOGS === undefined ? undefined : dirname(process.env.SPILLWAY_LOGS);
  return root === undefined || basename(root) !== environment ? named : join(root, basename(named));
}

/** A preview is about the environment: that this computer has no context yet is no change of it. */
export function contextCounts(): boolean {
  return process.env[previewVariable] !== "1";
}

/** Set for a run that only looks. */
export const previewVariable = "SPILLWAY_WITHOUT_CONTEXT";
