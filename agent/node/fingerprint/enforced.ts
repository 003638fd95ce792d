/** Fact: which limits the kernel holds tasks to. */
import type { AgentConfig } from "../../contract/agent-config.ts";
import type { NodeFacts } from "../../contract/node.ts";
import { hostMounts, readText } from "./mounts.ts";

type Enforced = NodeFacts["enforced"];

/**
 * The process executor sets no limits: what a task asked for is only accounted. Under systemd memory is a ceiling and cpu
 * a share that nobody can take, where process 1 has those controllers; containers often lack them.
 */
export function enforcedFact(executor: AgentConfig["executor"], readFile: (path: string) => string = readText): Enforced {
  if (executor !== "systemd") return [];
  return (["cpu", "memory"] as const).filter((controller) => hasController(controller, readFile));
}

function hasController(controller: "cpu" | "memory", readFile: (path: string) => string): boolean {
  // Control groups version 2: one list. Elsewhere (version 1, or both) this file is not there.
  const unified = readFile("/sys/fs/cgroup/cgroup.controllers");
  if (unified !== "") return unified.trim().split(/\s+/).includes(controller);
  // Version 1: a mount for each controller, read-only where process 1 may not use it. The agent's own mounts may be read-only by its sandbox.
  return hostMounts(readFile).some(
    ({ type, options, features }) => type === "cgroup" && features.includes(controller) && !options.includes("ro"),
  );
}
