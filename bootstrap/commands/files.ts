/** Small files on the machine: written whole by rename, compared without being read back. */
import { createHash } from "node:crypto";
import { commandLine, script } from "./shell.ts";

export interface FileOnMachine {
  readonly path: string;
  readonly content: string;
  /** Octal, e.g. "600". */
  readonly mode: string;
}

/** Prints what `compareFiles` reads: sum and path of each that is there, then the path of each that has its mode. */
export function readFiles(sha256: readonly string[], files: readonly FileOnMachine[]): string[] {
  // Such a machine is refused; nothing of what is there is as it should be.
  if (sha256.length === 0) return ["true"];
  const modes = [...new Set(files.map(({ mode }) => mode))];
  const pathsOf = (some: readonly FileOnMachine[]) => some.map(({ path }) => path);
  return script(
    [
      commandLine([...sha256, ...pathsOf(files)]),
      ...modes.map((mode) => commandLine(["find", ...pathsOf(files.filter((file) => file.mode === mode)), "-prune", "-perm", mode])),
      "exit 0",
    ].join(" 2>/dev/null\n"),
  );
}

/** `same`: those that hold just what they should, with their mode; `there`: whatever they hold. By path. */
export function compareFiles(output: string, files: readonly FileOnMachine[]): { readonly same: Set<string>; readonly there: Set<string> } {
  const lines = output.split("\n");
  const sums = new Map(
    lines.flatMap((line) => {
      // A star stands before the path where a program takes files for binary.
      const [, sum = "", path = ""] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
      return path === "" ? [] : [[path, sum] as const];
    }),
  );
  const withMode = new Set(lines);
  const same = files.filter(({ path, content }) => withMode.has(path) && sums.get(path) === sumOf(content));
  return { same: new Set(same.map(({ path }) => path)), there: new Set(sums.keys()) };
}

function sumOf(content: string): string {
  return createHash("sha256").update(content).digest("hex");
}

/**
 * Writes files of which stdin holds one after the other, each by rename; their directories are made, for the owner alone.
 * An input that was cut short changes nothing.
 * @param scratch a directory of ours on the same machine
 */
export function writeFiles(files: readonly FileOnMachine[], scratch: string): { argv: string[]; stdin: string } {
  const lengths = files.map(({ content }) => Buffer.byteLength(content));
  return {
    argv: script(
      `
set -e
umask 077
scratch=$1 total=$2 at=1; shift 2
mkdir -p "$scratch"
# Its own: one whose connection broke may still wait for its input.
all="$scratch/files.$$.new"
trap 'rm -f "$all"' EXIT
cat > "$all"
if [ "$(wc -c < "$all")" -ne "$total" ]; then echo 'it did not arrive whole' >&2; exit 1; fi
while [ $# -gt 0 ]; do
  mkdir -p "\${1%/*}"
  rm -f "$1.new"
  tail -c "+$at" "$all" | head -c "$3" > "$1.new"
  chmod "$2" "$1.new"
  mv -f "$1.new" "$1"
  at=$((at + $3)); shift 3
done`,
      scratch,
      String(lengths.reduce((total, length) => total + length, 0)),
      ...files.flatMap(({ path, mode }, index) => [path, mode, String(lengths[index])]),
    ),
    stdin: files.map(({ content }) => content).join(""),
  };
}

/** Makes `link` point to `target`, replacing what it pointed to. */
export function pointLink(link: string, target: string): string[] {
  return script(`set -e; mkdir -p "$(dirname "$1")"; ln -sfn "$2" "$1"`, link, target);
}

/**
 * Where SELinux is on: gives these files, and what is below them, the labels that the host's policy has for their places. What
 * is not there is passed over. Without the right label systemd may not run a program.
 */
export function restoreLabels(...paths: readonly string[]): string[] {
  return script(`PATH=$PATH:/usr/sbin:/sbin; for path do if [ -e "$path" ]; then restorecon -R "$path" || exit 1; fi; done`, ...paths);
}
