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

/**
 * Where SELinux is on: gives these files, and what is below them, the labels that the host's policy has for their places. What
 * is not there is passed over. Without the right label systemd may not run a program.
 */
export function restoreLabels(...paths: readonly string[]): string[] {
  return script(`PATH=$PATH:/usr/sbin:/sbin; for path do if [ -e "$path" ]; then restorecon -R "$path" || exit 1; fi; done`, ...paths);
}
