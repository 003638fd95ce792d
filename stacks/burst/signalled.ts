/** Sends a signal to a process, 0 to ask whether it lives. False when it is not there, or is not ours. */
export function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
