/** Fact: how much memory there is, in MiB: the host's, or less where this process is held to less. */
import { totalmem } from "node:os";

export function memoryFact(totalBytes: number = totalmem(), constrainedBytes: number = process.constrainedMemory()): number {
  // Without a limit Node answers 0 or a number beyond all memory.
  const bytes = constrainedBytes > 0 ? Math.min(totalBytes, constrainedBytes) : totalBytes;
  return Math.max(1, Math.floor(bytes / 1024 ** 2));
}
