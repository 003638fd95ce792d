/** Jobs and their tasks. A job's array has `count` indexes; each index has attempts; one attempt is one task on one node. */
import { z } from "zod";
import { resources, taskResources } from "./resources.ts";

/** Lower-case letters, digits and dashes, at most 63: the form of names of jobs, nodes, pools. */
export const resourceName = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "use lower-case letters, digits and dashes, and start and end with a letter or digit");

export const maxJobCount = 10_000;

export const jobSpec = z.strictObject({
  name: resourceName.optional().describe("the job's id; made up when left out"),
  command: z.array(z.string()).min(1).describe("argv; no shell is put before it"),
  env: z.record(z.string(), z.string()).default({}),
  resources: taskResources.describe("what each task needs"),
  priority: z.number().int().min(0).max(100).default(50).describe("higher is placed first"),
  retries: z
    .number()
    .int()
    .min(0)
    .max(100)
    .default(0)
    .describe("how often a failed index is tried again; attempts lost with their node do not count"),
  count: z.number().int().min(1).max(maxJobCount).default(1).describe("the array's size; SPILLWAY_INDEX tells a task its index"),
  nodePool: resourceName.optional().describe("only nodes of this pool"),
  graceMs: z.number().int().min(0).max(3_600_000).default(10_000).describe("time between TERM and KILL when it is stopped"),
  timeoutMs: z.number().int().positive().optional().describe("a task running longer is stopped and fails"),
});
export type JobSpec = z.infer<typeof jobSpec>;

/** pending → assigned → running (→ stopping) → succeeded | failed | cancelled | lost. */
export const taskState = z.enum(["assigned", "running", "stopping", "succeeded", "failed", "cancelled", "lost"]);
export type TaskState = z.infer<typeof taskState>;

export const attempt = z.object({
  attempt: z.number().int().min(1),
  taskId: z.string().describe("<job>.<index>.<attempt>"),
  node: z.string(),
  state: taskState,
  assignedAt: z.number(),
  startedAt: z.number().optional(),
  finishedAt: z.number().optional(),
  exitCode: z.number().int().optional().describe("128 + signal number when a signal ended it"),
  reason: z.string().optional().describe("a sentence: why it ended as it did"),
  fault: z.literal("node").optional().describe("its node, not the task, was at fault: it counts for nothing"),
});
export type Attempt = z.infer<typeof attempt>;

export const indexState = z.enum(["pending", "active", "succeeded", "failed", "cancelled"]);

export const jobIndex = z.object({
  index: z.number().int().min(0),
  state: indexState,
  pendingReason: z.string().optional().describe("why it waits, when it waits"),
  attempts: z.array(attempt),
});
export type JobIndex = z.infer<typeof jobIndex>;

export const jobState = z.enum(["pending", "running", "succeeded", "failed", "cancelled"]);
export type JobState = z.infer<typeof jobState>;

export const jobView = z.object({
  id: resourceName,
  spec: jobSpec,
  state: jobState,
  reason: z.string().describe("a sentence: why it is in this state"),
  submittedAt: z.number(),
  finishedAt: z.number().optional(),
  counts: z.record(indexState, z.number().int()).describe("indexes by state"),
});
export type JobView = z.infer<typeof jobView>;

export const jobDetail = jobView.extend({ indexes: z.array(jobIndex) });
export type JobDetail = z.infer<typeof jobDetail>;

/** What an agent needs to run one attempt. */
export const taskSpec = z.object({
  taskId: z.string(),
  job: z.string(),
  index: z.number().int(),
  attempt: z.number().int(),
  command: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()),
  resources,
  graceMs: z.number().int(),
  timeoutMs: z.number().int().optional(),
});
export type TaskSpec = z.infer<typeof taskSpec>;

/** What an agent tells about one attempt. A finished report is repeated until the master says it is recorded. */
export const taskReport = z.object({
  taskId: z.string().max(128),
  state: z.enum(["running", "stopping", "succeeded", "failed", "cancelled", "lost"]),
  startedAt: z.number().optional(),
  finishedAt: z.number().optional(),
  exitCode: z.number().int().optional(),
  reason: z.string().max(10_000).optional(),
  fault: z
    .literal("node")
    .optional()
    .describe("with `lost`: the host could not start it (no space, no processes left); the task is not to blame"),
});
export type TaskReport = z.infer<typeof taskReport>;

/** `<job>.<index>.<attempt>`; a job's name holds no dot, so it can be taken apart again. */
export function taskIdOf(job: string, index: number, attemptNumber: number): string {
  return `${job}.${index}.${attemptNumber}`;
}

/** Undefined when the text is not a task's id. */
export function parseTaskId(taskId: string): { job: string; index: number; attempt: number } | undefined {
  const match = /^([a-z0-9-]+)\.(\d+)\.(\d+)$/.exec(taskId);
  if (match === null) return undefined;
  return { job: match[1] as string, index: Number(match[2]), attempt: Number(match[3]) };
}
