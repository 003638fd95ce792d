/** Everything the agent reads off its host, fact by fact. */
import type { AgentConfig } from "../contract/agent-config.ts";
import type { NodeFacts } from "../contract/node.ts";
import type { Resources } from "../contract/resources.ts";
import { bootIdFact } from "./fingerprint/boot-id.ts";
import { cgroupFact } from "./fingerprint/cgroup.ts";
import { cpuFact } from "./fingerprint/cpu.ts";
import { diskFact } from "./fingerprint/disk.ts";
import { disksFact } from "./fingerprint/disks.ts";
import { enforcedFact } from "./fingerprint/enforced.ts";
import { type Gpu, gpusFact, offeredGpus } from "./fingerprint/gpus.ts";
import { memoryFact } from "./fingerprint/memory.ts";
import { platformFact } from "./fingerprint/platform.ts";

/** `stateDir` must exist: free disk is measured there. */
export async function fingerprint({
  stateDir,
  executor,
}: Pick<AgentConfig, "stateDir" | "executor">): Promise<{ facts: NodeFacts; measured: Resources }> {
  gpus ??= gpusFact();
  const found = await gpus;
  // A driver may still be loading.
  if (found.some(({ usable }) => !usable)) gpus = undefined;
  const cgroup = cgroupFact();
  const facts: NodeFacts = {
    ...platformFact(),
    bootId: bootIdFact(),
    cpuCount: cpuFact(),
    memoryMiB: memoryFact(),
    diskFreeMiB: await diskFact(stateDir),
    executor,
    ...(cgroup === undefined ? {} : { cgroup }),
    disks: await disksFact(),
    ...(found.length === 0 ? {} : { gpus: found }),
    enforced: enforcedFact(executor),
  };
  const measured: Resources = { cpu: facts.cpuCount * 1000, memory: facts.memoryMiB, disk: facts.diskFreeMiB, gpus: offeredGpus(found) };
  return { facts, measured };
}

/** They do not come and go while an agent runs, and asking for them may take seconds. */
let gpus: Promise<Gpu[]> | undefined;
