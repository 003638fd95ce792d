/** A node as the master knows it: a machine whose agent has joined. */
import { z } from "zod";
import { resources, systemReserve } from "./resources.ts";

export const nodeState = z.enum(["joining", "ready", "suspect", "disconnected", "lost"]);
export type NodeState = z.infer<typeof nodeState>;

/** Facts the agent reads off its host; each is a file in agent/node/fingerprint. */
export const nodeFacts = z.object({
  hostname: z.string().max(255),
  os: z.string().max(63).describe("linux, darwin"),
  arch: z.string().max(63).describe("x64, arm64"),
  kernel: z.string().max(255),
  bootId: z.string().max(255).describe("changes when the host is rebooted"),
  cpuCount: z.number().int().positive(),
  memoryMiB: z.number().int().positive(),
  diskFreeMiB: z.number().int().nonnegative(),
  executor: z.enum(["process", "systemd"]).optional().describe("how the agent runs tasks; agents before 0.2 do not say"),
  cgroup: z.enum(["v1", "v2", "hybrid"]).optional().describe("the kernel's control groups; agents before 0.4 do not say"),
  disks: z
    .array(
      z.object({
        path: z.string().max(256).describe("where it is mounted"),
        device: z.string().max(256),
        sizeMiB: z.number().int().nonnegative(),
        freeMiB: z.number().int().nonnegative(),
        rotational: z.boolean().optional(),
      }),
    )
    .max(32)
    .optional()
    .describe("mounted block devices"),
  gpus: z
    .array(
      z.object({
        vendor: z.string().max(63).describe("nvidia, amd, intel"),
        model: z.string().max(63).describe("as tasks ask for it"),
        memoryMiB: z.number().int().nonnegative().optional(),
        uuid: z.string().max(63).optional(),
        usable: z.boolean().describe("its driver is there; others are not offered to tasks"),
      }),
    )
    .max(64)
    .optional(),
  enforced: z
    .array(z.enum(["cpu", "memory", "disk"]))
    .max(3)
    .describe("which limits the host's kernel enforces on tasks; others are only accounted"),
});
export type NodeFacts = z.infer<typeof nodeFacts>;

/** Names and values, bounded so that a node's record fits in the master's store. */
const texts = z
  .record(z.string().max(63), z.string().max(256))
  .refine((record) => Object.keys(record).length <= 32, "at most 32 entries")
  .default({});

/** What its cloud announces of a machine, as its metadata says. */
export const nodeNotice = z.object({
  kind: z
    .enum(["reclaim", "rebalance"])
    .describe("reclaim: the cloud takes the machine away; rebalance: it advises to leave it, or disturbs it and gives it back"),
  at: z.number().describe("ms since the epoch; of a reclaim: the machine is there until then, at the least"),
  text: z.string().max(256).describe("a few words for people, with the cloud's own name of what happens"),
});
export type NodeNotice = z.infer<typeof nodeNotice>;

/** What the operator's side says about a node (from its Machine); the agent can't change it. */
export const nodeDeclaration = z.object({
  pool: z.string().max(63),
  provider: z.string().max(63),
  providerId: z.string().max(512),
  labels: texts,
  attributes: texts,
  capacity: resources.optional().describe("declared capacity; without it the agent's measurement counts"),
  reserve: resources.optional().describe("kept back from the offer, for the master beside it"),
  system: systemReserve
    .optional()
    .describe("kept back for the host's own system, where capacity is measured; without it nothing is, as in versions before 0.4"),
  price: z.object({ hourly: z.number().nonnegative() }).optional(),
  burst: z.string().max(48).optional().describe("the burst it was bought by"),
  host: z.string().max(255).optional().describe("where its machine is reached over SSH; missing before version 0.4, like all below"),
  port: z.number().int().min(1).max(65535).optional(),
  user: z.string().max(63).optional(),
  hostKey: z.string().max(127).optional().describe("the pinned fingerprint of its machine's SSH host key, SHA256:…; public"),
});
export type NodeDeclaration = z.infer<typeof nodeDeclaration>;

/**
 * Whether it gets tasks, apart from its state: `cordoned` gets none and keeps what it has, `draining` lets them finish
 * until a deadline, `drained` has none left.
 */
export const scheduling = z.enum(["open", "cordoned", "draining", "drained"]);
export type Scheduling = z.infer<typeof scheduling>;

export const nodeView = z.object({
  name: z.string(),
  state: nodeState,
  scheduling: scheduling.default("open"),
  schedulingReason: z.string().optional().describe("why it is not open"),
  notice: nodeNotice.optional().describe("what its cloud has announced of its machine; missing before version 0.5"),
  drainDeadline: z.number().optional().describe("ms since the epoch; while it is draining"),
  stateReason: z.string().describe("why it is in this state"),
  stateSince: z.number().describe("ms since the epoch"),
  declaredAt: z.number().optional().describe("ms since the epoch: so long the master knows it; masters before 0.5 do not say"),
  declaration: nodeDeclaration,
  facts: nodeFacts.optional(),
  agentVersion: z.string().optional(),
  bundle: z.string().optional().describe("digest of the bundle it runs"),
  agentSince: z.number().optional().describe("ms since the epoch: when its agent said hello on its present connection"),
  capacity: resources.describe("what tasks may use: declared, or measured minus what the system keeps; minus the reserve"),
  used: resources.describe("what its tasks hold"),
  tasks: z.number().int().describe("tasks assigned, running or stopping on it"),
  lastHeartbeatAt: z.number().optional().describe("ms since the epoch"),
});
export type NodeView = z.infer<typeof nodeView>;
