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
