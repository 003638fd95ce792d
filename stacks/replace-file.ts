/** Files on the operator's machine, written whole or not at all. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Writes beside the file and renames over it, so that a reader or a crash never meets half of it. Makes its directory. */
export function replaceFile(file: string, content: string, mode: { file: number; directory: number }): void {
  mkdirSync(dirname(file), { recursive: true, mode: mode.directory });
  const draft = `${file}.new`;
  // A draft left by a crash keeps its own mode when it is written over.
  rmSync(draft, { force: true });
  writeFileSync(draft, content, { mode: mode.file });
  renameSync(draft, file);
}
