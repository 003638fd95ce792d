/** Tells when an attempt's result file comes. */
import { watch } from "node:fs";

/** Calls `changed` then, maybe more than once. Where the host has no watches left, the executor's poll finds it. Returns the way to stop. */
export function watchResult(directory: string, changed: () => void): () => void {
  try {
    // Output makes events in this directory too: only the result's is worth a look.
    const watcher = watch(directory, (_, name) => void (name === "result" && changed()));
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => undefined;
  }
}
