/** The script that a machine runs to become a node: the phases of an installation, put together from the same commands. */
import type { InstallLayout } from "../../agent/contract/install-layout.ts";
import { unpackBundle } from "../commands/bundle.ts";
import { readInstallation } from "../commands/facts.ts";
import { pointLink, restoreLabels, writeFiles } from "../commands/files.ts";
import { joinNode } from "../commands/role.ts";
import { commandLine, quote } from "../commands/shell.ts";
import type { InstalledFile } from "../context.ts";
import { supervisionOf } from "../supervision.ts";
import { type CloudJoin, factsOf, joinUnit } from "./cloud-join.ts";

export interface JoinScriptParts {
  readonly wish: CloudJoin;
  readonly layout: InstallLayout;
  /** Of the agent, without those of who supervises it. */
  readonly files: readonly InstalledFile[];
}

/**
 * Safe to run again after a crash at any point: what is done is found done, the token is answered again for the same key, and the
 * script goes only when the agent was started. Exits with 0 then, with 3 after a refusal, with 1 after a fault that may pass.
 */
export function joinScript({ wish, layout, files }: JoinScriptParts): string {
  const { bundle, identity, token, root = "", nodeBinary } = wish;
  const supervision = supervisionOf(factsOf(root));
  const units = supervision.files(layout, "agent");
  const claim = writeFiles([{ path: layout.identityFile, content: `${JSON.stringify(identity)}\n`, mode: "600" }], layout.opt);
  const write = writeFiles([...files, ...units], layout.opt);
  const unpack = unpackBundle({
    layout,
    digest: bundle.digest,
    tarballSha256: bundle.sha256,
    compression: "gzip",
    sha256: ["sha256sum"],
    nodeBinary,
    // Done below, for all of it, where there is SELinux: who writes this can't know.
    relabel: false,
  });
  const tarball = `${layout.join}/bundle.tar.gz`;
  const node = wish.node;
  return `#!/bin/sh
# Makes this machine the node ${node}. It was born with this; nobody logs in for it.
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH; export PATH
umask 077
join=${quote(layout.join)}
python=$(command -v python3 || echo /usr/libexec/platform-python)

machine() { "$python" "$join/machine.py" "$join/settings.json" "$@"; }
say() { printf 'spillway: %s\\n' "$1"; }
# TEXT CODE: tells the master too, as far as it can be told.
end() { say "$1"; machine report "$1" || :; exit "$2"; }
# SENTENCE CODE COMMAND...
attempt() {
  sentence=$1 code=$2; shift 2
  say "$sentence"
  if ! words=$("$@" 2>&1); then end "could not $sentence: $(printf '%s' "$words" | tail -n 4 | tr '\\n' ' ')" "$code"; fi
}

is_there() { ${commandLine(readInstallation(layout, "agent", bundle.digest))} | grep -qx bundle=yes; }
claim() { printf %s ${quote(claim.stdin)} | ${commandLine(claim.argv)}; }
unpack() { ${commandLine(unpack)} < ${quote(tarball)} && rm -f ${quote(tarball)}; }
write() { printf %s ${quote(write.stdin)} | ${commandLine(write.argv)}; }
point() { ${commandLine(pointLink(layout.current("agent"), layout.bundle(bundle.digest)))}; }
relabel() { ${commandLine(restoreLabels(...layout.owned, ...units.map(({ path }) => path)))}; }
enter() { printf '%s\\n' ${quote(token)} | ${commandLine(joinAgain(layout))}; }
is_supervised() { ${commandLine(supervision.readSupervised(layout, "agent"))} | grep -qx supervised; }
start() { ${commandLine(supervision.startRole(layout, "agent"))}; }

main() {
  if ! is_supervised; then
    say 'look whether it can take the agent'
    problem=$(machine preflight); code=$?
    if [ $code -ne 0 ]; then end "\${problem:-the look at the machine ended with $code}" $code; fi
    attempt ${quote(`mark it as ${identity.machine} of ${identity.environment}`)} 1 claim
    if ! is_there; then
      say ${quote(`fetch the bundle ${bundle.digest.slice(0, 12)}`)}
      problem=$(machine fetch ${quote(tarball)}); code=$?
      if [ $code -ne 0 ]; then end "\${problem:-the bundle could not be fetched}" $code; fi
      attempt 'unpack the bundle' 1 unpack
    fi
    attempt 'write the files of the agent' 1 write
    attempt ${quote(`point the agent at bundle ${bundle.digest.slice(0, 12)}`)} 1 point
    if [ -r /sys/fs/selinux/enforce ] && command -v restorecon >/dev/null 2>&1; then attempt 'restore SELinux labels' 1 relabel; fi
    attempt ${quote(`join the pool as ${node}`)} 3 enter
    attempt 'start the agent' 1 start
  fi
  say 'it is a node'
${root === "" ? `  systemctl disable --quiet ${joinUnit} 2>/dev/null || :\n` : ""}  rm -rf "$join"${root === "" ? ` /etc/systemd/system/${joinUnit}` : ""}
}
main
exit 0
`;
}

/** Unlike an installation over SSH it does not insist: a machine that started anew has joined already. */
function joinAgain(layout: InstallLayout): string[] {
  return joinNode(layout).filter((word) => word !== "--force");
}
