/** What is done to a role (agent or master) in one way on every machine: joining, finding its files, deleting them. */
import type { AgentRole, InstallLayout } from "../../agent/contract/install-layout.ts";
import { script } from "./shell.ts";

/** Joins by the token on stdin; an older certificate is replaced. */
export function joinNode(layout: InstallLayout): string[] {
  const current = layout.current("agent");
  return [`${current}/bin/node`, `${current}/agent.js`, "join", "--force", "--config", layout.config("agent")];
}

/** V8's lite mode keeps an agent at 63 MiB where it would grow to 79 after a hundred tasks; the master has work for the optimiser. */
const nodeFlags: Record<AgentRole, readonly string[]> = { agent: ["--lite-mode"], master: [] };

/** The role's own command. */
export function roleCommand(layout: InstallLayout, role: AgentRole): string[] {
  const current = layout.current(role);
  return [`${current}/bin/node`, ...nodeFlags[role], `${current}/agent.js`, role, "--config", layout.config(role)];
}

/** What a role reads when it starts and never again. The master's intermediate is none of it: that is taken while it runs. */
export function roleSources(layout: InstallLayout, role: AgentRole): string[] {
  return [layout.config(role), layout.caFile, layout.current(role)];
}

/** Prints the certificate, and `authority=changed` when the CA is newer than it: then it is of no worth. */
export function readCertificate(layout: InstallLayout): string[] {
  return script(
    `cat "$1" 2>/dev/null || exit 0; if [ -n "$(find "$2" -prune -newer "$1" 2>/dev/null)" ]; then echo authority=changed; fi`,
    `${layout.state("agent")}/cert.pem`,
    layout.caFile,
  );
}

/** Everything on the machine that belongs to this role alone. */
function filesOf(layout: InstallLayout, role: AgentRole): string[] {
  const before = [layout.before(role), layout.filesBefore(role)].flatMap((path) => [path, `${path}.older`]);
  const slots = [layout.current(role), ...before, layout.trial(role)];
  const files = [layout.config(role), layout.state(role), layout.logFile(role), ...slots];
  return role === "master" ? [...files, layout.intermediateCertFile, layout.intermediateKeyFile] : files;
}

/** Prints `installed` when anything of Spillway is on the machine. */
export function readInstalled(layout: InstallLayout, role: AgentRole): string[] {
  return script(
    `for path do if [ -e "$path" ] || [ -L "$path" ]; then echo installed; break; fi; done`,
    ...filesOf(layout, role),
    ...layout.owned,
  );
}

/** Deletes the role's files and every bundle that no other role points at; where no other role is, all our directories. */
export function uninstallRole(layout: InstallLayout, role: AgentRole): string[] {
  const other: AgentRole = role === "agent" ? "master" : "agent";
  return script(
    `
set -e
other=$1 before=$2 bundles=$3 config=$4; shift 4
if [ ! -L "$other" ] && [ ! -e "$config" ]; then for path do if [ "$path" != -- ]; then rm -rf "$path"; fi; done; exit 0; fi
while [ "$1" != -- ]; do rm -rf "$1" "$1.new"; shift; done
keep=$(readlink "$other" || :) slot=$(readlink "$before" || :)
for bundle in "$bundles"/*; do if [ "$bundle" != "$keep" ] && [ "$bundle" != "$slot" ]; then rm -rf "$bundle"; fi; done`,
    layout.current(other),
    layout.before(other),
    layout.bundles,
    layout.config(other),
    ...filesOf(layout, role),
    "--",
    ...layout.owned,
  );
}
