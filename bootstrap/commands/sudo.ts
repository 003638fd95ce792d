/** Becoming root by sudo, without a password or with one that comes on standard input, never in a command line. */
import { script } from "./shell.ts";

export const sudoWithoutPassword: readonly string[] = ["sudo", "-n", "--"];

/**
 * `argv` as root. The first line on stdin is the password, the second `marker`, then comes the command's own input. sudo takes
 * the password line only when it asks for one (`-k`: whatever was typed there before); where it does not, the line is dropped
 * up to the marker before the command sees any of it.
 */
export function sudoWithPassword(marker: string): string[] {
  const guard = `
IFS= read -r line
if [ "$line" != "$1" ]; then IFS= read -r line; fi
unset line; shift
exec "$@"`;
  return ["env", "LC_ALL=C", "sudo", "-k", "-S", "-p", "", "--", ...script(guard, marker)];
}
