/** What a node offers and a task needs: cpu in millicores, memory and disk in MiB, gpus by model. */
import { z } from "zod";

export const resources = z.object({
  cpu: z.number().int().nonnegative().describe("millicores"),
  memory: z.number().int().nonnegative().describe("MiB"),
  disk: z.number().int().nonnegative().default(0).describe("MiB"),
  gpus: z
    .array(z.object({ model: z.string().max(63).describe("e.g. a100"), count: z.number().int().positive() }))
    .max(64)
    .default([])
    .describe("GPUs by model"),
});
export type Resources = z.infer<typeof resources>;

/** What a task may ask for: a task that needs nothing would have no limit. */
export const taskResources = resources.extend({
  cpu: z.number().int().min(1).describe("millicores"),
  memory: z.number().int().min(1).describe("MiB"),
});

export const noResources: Resources = { cpu: 0, memory: 0, disk: 0, gpus: [] };

/** a + b, GPU counts summed by model. */
export function addResources(a: Resources, b: Resources): Resources {
  return combine(a, b, 1);
}

/** a − b, never below zero. */
export function subtractResources(a: Resources, b: Resources): Resources {
  return combine(a, b, -1);
}

/** What is kept for a host's own system; what is left out is reckoned from what the host has. */
export const systemReserve = z.object({
  cpu: z.number().int().nonnegative().optional().describe("millicores; 80 and 1 % when not given"),
  memory: z.number().int().nonnegative().optional().describe("MiB; 280 and 5 % when not given"),
  disk: z.number().int().nonnegative().optional().describe("MiB; 1024 or 5 %, whichever is more, when not given"),
});
export type SystemReserve = z.infer<typeof systemReserve>;

/**
 * What a host that has `whole` keeps for its system and the agent. For cpu and memory what Google's on-prem GKE keeps on
 * machines one owns (80 millicores + 1 %, 280 MiB + 5 %: its page "Resources available for your workloads"); for disk what
 * ext4 keeps for root. What is not written takes at most half of a small host.
 */
export function reservedOf(whole: Resources, written: SystemReserve): Resources {
  const share = (amount: number, base: number, part: number) => Math.min(Math.floor(amount / 2), Math.ceil(base + part * amount));
  return {
    cpu: written.cpu ?? share(whole.cpu, 80, 0.01),
    memory: written.memory ?? share(whole.memory, 280, 0.05),
    disk: written.disk ?? Math.min(Math.floor(whole.disk / 2), Math.max(1024, Math.ceil(0.05 * whole.disk))),
    gpus: [],
  };
}

/** The names of the resources of which `need` wants more than `have` holds; empty when it fits. */
export function shortages(need: Resources, have: Resources): string[] {
  const short: string[] = [];
  if (need.cpu > have.cpu) short.push("cpu");
  if (need.memory > have.memory) short.push("memory");
  if (need.disk > have.disk) short.push("disk");
  for (const gpu of need.gpus) {
    const free = have.gpus.find((other) => other.model === gpu.model)?.count ?? 0;
    if (gpu.count > free) short.push(`gpu ${gpu.model}`);
  }
  return short;
}

function combine(a: Resources, b: Resources, sign: 1 | -1): Resources {
  const counts = new Map(a.gpus.map((gpu) => [gpu.model, gpu.count]));
  for (const gpu of b.gpus) counts.set(gpu.model, (counts.get(gpu.model) ?? 0) + sign * gpu.count);
  return {
    cpu: Math.max(0, a.cpu + sign * b.cpu),
    memory: Math.max(0, a.memory + sign * b.memory),
    disk: Math.max(0, a.disk + sign * b.disk),
    gpus: [...counts].filter(([, count]) => count > 0).map(([model, count]) => ({ model, count })),
  };
}
