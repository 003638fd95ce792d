/** Everything the agent reads off its host, fact by fact. */
import type { AgentConfig } from "../contract/agent-config.ts";
import type { NodeFacts } from "../contract/node.ts";
import type { Resources } from "../contract/resources.ts";
import { bootIdFact } from "./fingerprint/boot-id.ts";
import { cpuFact } from "./fingerprint/cpu.ts";
import { diskFact } from "./fingerprint/disk.ts";
import { enforcedFact } from "./fingerprint/enforced.ts";
import { memoryFact } from "./fingerprint/memory.ts";
import { platformFact } from "./fingerprint/platform.ts";

/** `stateDir` must exist: free disk is measured there. */
export async function fingerprint({
  stateDir,
  executor,
}: Pick<AgentConfig, "stateDir" | "executor">): Promise<{ facts: NodeFacts; measured: Resources }> {
  const facts: NodeFacts = {
    ...platformFact(),
    bootId: bootIdFact(),
    cpuCount: cpuFact(),
    memoryMiB: memoryFact(),
    diskFreeMiB: await diskFact(stateDir),
    executor,
    enforced: enforcedFact(executor),
  };
  const measured: Resources = { cpu: facts.cpuCount * 1000, memory: facts.memoryMiB, disk: facts.diskFreeMiB, gpus: [] };
  return { facts, measured };
}
