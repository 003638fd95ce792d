/** Small files on the machine: written whole by rename, compared without being read back. */
import { script } from "./shell.ts";

/** Exit code 0 when the file holds exactly what comes on stdin, with this mode. */
export function fileHolds(path: string): string[] {
  return ["cmp", "-s", "-", path];
}

/** Writes stdin to the file by rename; its directory is made, for the owner alone. */
export function writeFile(path: string, mode: string): string[] {
  return script(
    `
set -e
umask 077
mkdir -p "$(dirname "$1")"
rm -f "$1.new"
cat > "$1.new"
chmod "$2" "$1.new"
mv -f "$1.new" "$1"`,
    path,
    mode,
  );
}

/** Makes `link` point to `target`, replacing what it pointed to. */
export function pointLink(link: string, target: string): string[] {
  return script(`set -e; mkdir -p "$(dirname "$1")"; ln -sfn "$2" "$1"`, link, target);
}
