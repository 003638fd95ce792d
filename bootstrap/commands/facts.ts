/** Reading a machine's facts: one command, one line `key=value` each. */
import { type AgentRole, type InstallLayout, installLayout } from "../../agent/contract/install-layout.ts";
import { wholeFunction } from "./bundle.ts";
import { readSeedState } from "./host-key.ts";
import { readable, script } from "./shell.ts";

/**
 * What the machine is. SPILLWAY_ROOT is set on machines whose file system is a directory. Changes nothing. Each program that
 * it starts is a start on every host of a fleet, so what the shell can read itself it reads.
 */
export function readMachineFacts(): string[] {
  return script(
    `
printf 'time=%s\\n' "$(date +%s.%N)"
printf 'root=%s\\n' "\${SPILLWAY_ROOT:-}"
system=$(uname -sm)
printf 'os=%s\\narch=%s\\n' "\${system%% *}" "\${system##* }"
printf 'osName=%s\\n' "$(. /etc/os-release 2>/dev/null && printf '%s' "$PRETTY_NAME")"
if libc=$(getconf GNU_LIBC_VERSION 2>/dev/null); then printf 'libc=%s\\n' "$libc"
elif ls /lib/ld-musl-* >/dev/null 2>&1; then echo libc=musl; fi
as=
if [ "$(id -u)" = 0 ]; then echo rights=root
elif ! command -v sudo >/dev/null 2>&1; then echo rights=no-sudo
elif sudo -n true >/dev/null 2>&1; then as='sudo -n'; echo rights=sudo
else echo rights=none; fi
PATH=$PATH:/usr/sbin:/sbin
manager=
if [ -d /run/systemd/system ]; then
  manager=$(systemctl show --property=Version --property=Environment 2>/dev/null)
  version=\${manager#*Version=} version=\${version#systemd }
  version=\${version%%[!0-9]*}
  printf 'systemd=%s\\n' "\${version:-$(systemctl --version 2>/dev/null | awk 'NR==1 {print $2}')}"
elif [ -e /run/openrc/softlevel ] && command -v rc-update >/dev/null 2>&1; then
  printf 'openrc=%s\\n' "$(openrc --version 2>/dev/null | awk 'NR==1 {print $NF}')"
  command -v setpriv >/dev/null 2>&1 || echo missing=setpriv
fi
init=; { IFS= read -r init < /proc/1/comm; } 2>/dev/null
printf 'init=%s\\n' "$init"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo cgroup=v2
elif grep -q ' - cgroup2 ' /proc/1/mountinfo 2>/dev/null && grep -q ' - cgroup ' /proc/1/mountinfo; then echo cgroup=hybrid
elif grep -q ' - cgroup ' /proc/self/mountinfo 2>/dev/null; then echo cgroup=v1; fi
if [ -r /sys/fs/selinux/enforce ]; then
  case $(cat /sys/fs/selinux/enforce) in 1) echo selinux=enforcing ;; *) echo selinux=permissive ;; esac
  command -v restorecon >/dev/null 2>&1 || echo missing=restorecon
fi
# Never with the name and password that may stand in them.
proxies=$(set -f; for word in \${manager#*Environment=}; do printf '%s\\n' "$word"; done | cat /etc/environment - 2>/dev/null |
  grep -Ei '^([[:space:]]*export[[:space:]]+)?(https?|no)_proxy=')
if [ -n "$proxies" ]; then printf '%s\\n' "$proxies" | sed -e 's,://.*@,://,' -e 's,=.*@,=,' -e 's/^/proxy=/' | head -n 16; fi
df -Pk 2>/dev/null | awk '$1 ~ "^/dev/" && $1 !~ "^/dev/loop" && $6 !~ "^/(run|proc|sys|dev)/" && !seen[$1]++ && n++ < 32 {printf "disk=%s %s %s\\n", $2, $4, $6}'
if command -v nvidia-smi >/dev/null 2>&1; then
  if command -v timeout >/dev/null 2>&1; then limit='timeout 10'; else limit=; fi
  $limit nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 64 | sed 's/^/gpu=/'
else for device in /sys/bus/pci/devices/*; do
  class=; { IFS= read -r class < "$device/class"; } 2>/dev/null
  case $class in 0x0300*|0x0302*)
    case $(cat "$device/vendor") in 0x10de) echo 'gpu=NVIDIA, without its driver' ;; 0x1002) echo gpu=AMD ;; esac ;;
  esac
done; fi
d="\${SPILLWAY_ROOT:-}/opt"
while [ ! -d "$d" ]; do d=$(dirname "$d"); done
printf 'diskFreeKiB=%s\\n' "$(df -Pk "$d" | awk 'NR==2 {print $4}')"
memory=; { read -r _ memory _ < /proc/meminfo; } 2>/dev/null
printf 'memoryKiB=%s\\n' "$memory"
for tool in tar gzip cmp awk; do command -v $tool >/dev/null 2>&1 || printf 'missing=%s\\n' "$tool"; done
if command -v zstd >/dev/null 2>&1; then echo zstd=yes; fi
${readSeedState}
if command -v sha256sum >/dev/null 2>&1; then echo sha256=sha256sum; elif command -v shasum >/dev/null 2>&1; then echo 'sha256=shasum -a 256'; fi
identity=
if [ -n "$as" ]; then identity=$($as head -n 1 "\${SPILLWAY_ROOT:-}$1" 2>/dev/null)
else { IFS= read -r identity < "\${SPILLWAY_ROOT:-}$1"; } 2>/dev/null; fi
printf 'identity=%s\\n' "$identity"`,
    installLayout("").identityFile,
  );
}

/**
 * Whether the machine can dial there: prints `reached`, `no-way=<the system's words>` or `not-tried`. Takes up to 5 s. One that
 * refuses was reached: nothing may listen there yet.
 */
export function readReach(host: string, port: number): string[] {
  return readDial(host, port, "refused");
}

/** The same for the place on the machine where a tunnel begins: one that refuses is not there. */
export function readTunnelReach(host: string, port: number): string[] {
  return readDial(host, port, "");
}

/** `reached` is a word of the system's that means as much as an answer. */
function readDial(host: string, port: number, reached: string): string[] {
  return script(
    `
if ! command -v timeout >/dev/null 2>&1; then echo not-tried; exit 0
elif command -v bash >/dev/null 2>&1; then words=$(timeout 5 bash -c ': </dev/tcp/"$1"/"$2"' bash "$1" "$2" 2>&1); code=$?
elif command -v nc >/dev/null 2>&1; then words=$(timeout 5 nc -zv "$1" "$2" 2>&1); code=$?
else echo not-tried; exit 0; fi
if [ -n "$3" ]; then case "$words" in *"$3"*) code=0 ;; esac; fi
case "$code" in
  0) echo reached ;;
  124|143) echo 'no-way=no answer within 5 s' ;;
  *) printf 'no-way=%s\\n' "$(printf '%s' "$words" | head -n 1 | sed 's/.*: //')" ;;
esac`,
    host,
    String(port),
    reached,
  );
}

/** What is installed of a role: `bundle=yes` when that digest is there and whole, `node=` what its Node links to, `current=` the bundle in use. */
export function readInstallation(layout: InstallLayout, role: AgentRole, digest: string): string[] {
  return script(
    `${wholeFunction}
if whole "$1"; then echo bundle=yes; fi
printf 'node=%s\\n' "$(readlink "$1/bin/node" 2>/dev/null)"
printf 'current=%s\\n' "$(readlink "$2" 2>/dev/null)"`,
    layout.bundle(digest),
    layout.current(role),
  );
}

/** A fact is a word or a path. */
const longestFact = 1024;

/** `key=value` lines → a map of lists, since a key may come more than once. */
export function parseFacts(text: string): Map<string, string[]> {
  const facts = new Map<string, string[]>();
  for (const line of readable(text, 64 * 1024).split("\n")) {
    const at = line.indexOf("=");
    if (at <= 0) continue;
    const key = line.slice(0, at);
    facts.set(key, [...(facts.get(key) ?? []), line.slice(at + 1, at + 1 + longestFact).trim()]);
  }
  return facts;
}
