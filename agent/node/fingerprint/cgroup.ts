/** Fact: which control groups the kernel has: version 1, version 2, or systemd's mixture of both. */
import type { NodeFacts } from "../../contract/node.ts";
import { hostMounts, readText } from "./mounts.ts";

/** Undefined where there are none to be seen. */
export function cgroupFact(readFile: (path: string) => string = readText): NodeFacts["cgroup"] {
  if (readFile("/sys/fs/cgroup/cgroup.controllers") !== "") return "v2";
  const types = new Set(hostMounts(readFile).map(({ type }) => type));
  if (types.has("cgroup")) return types.has("cgroup2") ? "hybrid" : "v1";
  return types.has("cgroup2") ? "v2" : undefined;
}
