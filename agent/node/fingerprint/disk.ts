/** Fact: how much room is free where tasks write, in MiB. */
import { statfs } from "node:fs/promises";

/** `path` must exist. Counts what an unprivileged process may use. */
export async function diskFact(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return Math.floor((bavail * bsize) / 1024 ** 2);
}
