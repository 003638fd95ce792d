/** What a child process has said so far, and its end. */
import type { ChildProcess } from "node:child_process";

export interface CommandOutcome {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Collects what the child prints. `outcome` comes when both its outputs are closed: what the child started in its turn must
 * hold none of them, or it would wait for that as well. It rejects when the child can't be started.
 */
export function outcomeOf(child: ChildProcess): { readonly said: () => string; readonly outcome: Promise<CommandOutcome> } {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk) => {
    stdout += String(chunk);
  });
  child.stderr?.on("data", (chunk) => {
    stderr += String(chunk);
  });
  const outcome = new Promise<CommandOutcome>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { said: () => stderr, outcome };
}
