/** Fact: which limits the kernel holds tasks to. */
import { readFileSync } from "node:fs";
import type { AgentConfig } from "../../contract/agent-config.ts";
import type { NodeFacts } from "../../contract/node.ts";

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
  return mountsOf(readFile).some(
    ({ type, options, features }) => type === "cgroup" && features.includes(controller) && !options.includes("ro"),
  );
}

/** `36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue`: the mount's own options, then type and the file system's. */
function mountsOf(readFile: (path: string) => string) {
  const text = readFile("/proc/1/mountinfo") || readFile("/proc/self/mountinfo");
  return text.split("\n").flatMap((line) => {
    const [mount = "", fileSystem] = line.split(" - ");
    if (fileSystem === undefined) return [];
    const [type = "", , features = ""] = fileSystem.split(" ");
    return [{ type, options: (mount.split(" ")[5] ?? "").split(","), features: features.split(",") }];
  });
}

/** Empty when it is not there, or not to be seen. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
