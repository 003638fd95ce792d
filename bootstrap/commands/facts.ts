/** Reading a machine's facts: one command, one line `key=value` each. */
import type { AgentRole, InstallLayout } from "../../agent/contract/install-layout.ts";
import { script } from "./shell.ts";

/** What the machine is. SPILLWAY_ROOT is set on machines whose file system is a directory. */
export function readMachineFacts(): string[] {
  return script(`
printf 'root=%s\\n' "\${SPILLWAY_ROOT:-}"
printf 'os=%s\\n' "$(uname -s)"
printf 'arch=%s\\n' "$(uname -m)"
if ls /lib/ld-musl-* >/dev/null 2>&1; then echo libc=musl; else echo libc=glibc; fi
printf 'uid=%s\\n' "$(id -u)"
d="\${SPILLWAY_ROOT:-/}"
printf 'diskFreeKiB=%s\\n' "$(df -Pk "$d" | awk 'NR==2 {print $4}')"
for tool in tar gzip cmp awk; do command -v $tool >/dev/null 2>&1 || printf 'missing=%s\\n' "$tool"; done
if command -v sha256sum >/dev/null 2>&1; then echo sha256=sha256sum; elif command -v shasum >/dev/null 2>&1; then echo 'sha256=shasum -a 256'; fi`);
}

/** What is installed of a role: `bundle=yes` when that digest is there, `node=` what its Node links to, `current=` the bundle in use. */
export function readInstallation(layout: InstallLayout, role: AgentRole, digest: string): string[] {
  return script(
    `
if [ -d "$1" ]; then echo bundle=yes; fi
printf 'node=%s\\n' "$(readlink "$1/bin/node" 2>/dev/null)"
printf 'current=%s\\n' "$(readlink "$2" 2>/dev/null)"`,
    layout.bundle(digest),
    layout.current(role),
  );
}

/** `key=value` lines → a map of lists, since a key may come more than once. */
export function parseFacts(text: string): Map<string, string[]> {
  const facts = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at <= 0) continue;
    const key = line.slice(0, at);
    facts.set(key, [...(facts.get(key) ?? []), line.slice(at + 1).trim()]);
  }
  return facts;
}
