/** The removal of everything, as one line for a host that could not be reached when its node went: its owner runs it there later. */
import { type AgentRole, installLayout, taskSlice, taskUnits, unitOf } from "../../agent/contract/install-layout.ts";
import { initScriptOf, openrcServiceOf } from "./openrc.ts";
import { quote } from "./shell.ts";

const roles: readonly AgentRole[] = ["agent", "master"];

/**
 * To be run as root; does on systemd and on OpenRC what removal does over SSH: roles first, so that nothing is started anew,
 * then tasks, then files. It can be run twice, and on a host that has less of it.
 */
export function removalByHand(): string {
  const layout = installLayout("");
  const units = roles.map(unitOf).join(" ");
  const unitFiles = roles.map((role) => layout.unitFile(role)).join(" ");
  const tasks = `${layout.state("agent")}/tasks`;
  const systemd = [
    `systemctl disable --now ${units}`,
    `systemctl stop ${quote(taskUnits)} ${taskSlice}`,
    `rm -f ${unitFiles}`,
    "systemctl daemon-reload",
    `systemctl reset-failed ${units}`,
  ];
  const pids = roles.flatMap((role) => ["supervisor", "role"].map((kind) => `${layout.state(role)}/${kind}.pid`));
  const openrc = [
    `for r in ${roles.map(openrcServiceOf).join(" ")}; do rc-update --all delete $r; rc-service $r stop; rc-service $r zap; rm -f /run/$r.pid /etc/runlevels/default/$r; done`,
    // What still runs, and the process group of each task, when its number is not another's by now.
    `for f in ${pids.join(" ")}; do p=$(cat $f) && grep -q spillway /proc/$p/cmdline && kill -KILL $p; done`,
    `for f in ${tasks}/*/started/pid; do p=$(cat $f) && grep -q \${f%/started/pid} /proc/$p/cmdline && kill -KILL -- -$p; done`,
    `rm -f ${roles.map(initScriptOf).join(" ")}`,
    "rc-update --update",
  ];
  const silent = (steps: readonly string[]) => `{ ${steps.join("; ")}; } 2>/dev/null`;
  return `if [ -d /run/systemd/system ]; then ${silent(systemd)}; else ${silent(openrc)}; fi; rm -rf ${layout.owned.join(" ")}`;
}
