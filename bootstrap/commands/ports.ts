/** Whether a TCP port of the machine is taken. */
import { script } from "./shell.ts";

/** Prints `in-use` when something listens; reads the kernel's table where there is one, else asks lsof. */
export function readPortInUse(port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return script(
    `
if [ -r /proc/net/tcp ]; then
  if awk -v p=":$2" '$2 ~ p"$" && $4 == "0A" {found=1} END {exit !found}' /proc/net/tcp /proc/net/tcp6 2>/dev/null; then echo in-use; fi
elif command -v lsof >/dev/null 2>&1; then
  if lsof -nP -iTCP:"$1" -sTCP:LISTEN >/dev/null 2>&1; then echo in-use; fi
fi`,
    String(port),
    hex,
  );
}
