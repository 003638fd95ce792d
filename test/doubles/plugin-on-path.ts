/** Puts the double of a cloud's Pulumi provider where the engine looks first: a directory of its own, in front of PATH. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface PluginOnPath {
  readonly directory: string;
  /** PATH with it in front. */
  readonly path: string;
  remove(): void;
}

/** Where the double of each stands. */
const folders = { aws: "aws", "azure-native": "azure" } as const;

export type PluginName = keyof typeof folders;

/** `pulumi-resource-aws`: the engine warns that it uses the one from $PATH, and looks for no other. */
export function putPluginOnPath(name: PluginName, under: string = tmpdir()): PluginOnPath {
  const directory = mkdtempSync(join(under, "spillway-doubles-"));
  const main = join(import.meta.dirname, folders[name], "plugin.ts");
  // exec: the engine ends the process that it started.
  writeFileSync(join(directory, `pulumi-resource-${name}`), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
  return {
    directory,
    path: `${directory}:${process.env.PATH ?? ""}`,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
