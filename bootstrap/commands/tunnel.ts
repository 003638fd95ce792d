/** Which of a machine's SSH sessions holds the tunnel: noted there, so that whoever comes back can end one that nobody is at the other end of. */
import { hash } from "node:crypto";
import { script } from "./shell.ts";

/** In the home directory of the user that logs in. `holder` names who holds the tunnel, also after a restart. */
function noteOf(holder: string): string {
  return `.spillway-tunnel-${hash("sha256", holder).slice(0, 12)}`;
}

/** The process of the SSH server's that this command runs under, and when that began: the process id alone may be another's later. */
const readOwnSession = `
p=$$
while [ "\${p:-0}" -gt 1 ]; do
  case $(cat "/proc/$p/comm" 2>/dev/null) in sshd*) break ;; esac
  p=$(awk '/^PPid:/ {print $2}' "/proc/$p/status" 2>/dev/null)
done
begun() { awk '{print $22}' "/proc/$1/stat" 2>/dev/null; }`;

/** To be run over the connection that holds the tunnel. */
export function noteTunnel(holder: string): string[] {
  return script(
    `${readOwnSession}
if [ "\${p:-0}" -gt 1 ]; then printf '%s %s\\n' "$p" "$(begun "$p")" > "$HOME/$1"; fi`,
    noteOf(holder),
  );
}

/**
 * Ends the session that this holder has noted, unless it is the one that asks; prints `ended`. An SSH server learns only after
 * minutes that the other end of a broken line is gone, and keeps its port until then.
 */
export function endFormerTunnel(holder: string): string[] {
  return script(
    `${readOwnSession}
[ -r "$HOME/$1" ] || exit 0
read -r former since < "$HOME/$1"
case $former in ''|*[!0-9]*) exit 0 ;; esac
case $(cat "/proc/$former/comm" 2>/dev/null) in sshd*) ;; *) exit 0 ;; esac
if [ "$former" != "$p" ] && [ "$(begun "$former")" = "$since" ] && kill "$former"; then echo ended; fi`,
    noteOf(holder),
  );
}
