/** The bodies of the master's HTTP API (/v1) that are not jobs or nodes themselves. Times are ms since the epoch. */
import { z } from "zod";
import { instanceProof } from "./instance-identity.ts";
import { burstRow } from "./ledger.ts";
import { nodeState, nodeView } from "./node.ts";
import { demandExplanation } from "./plan.ts";
import { resources } from "./resources.ts";
import { attempt, jobDetail, jobView } from "./workload.ts";

export const apiError = z.object({
  error: z.object({
    code: z.string().describe("stable, kebab-case"),
    message: z.string(),
    hint: z.string().optional().describe("the next step"),
  }),
});
export type ApiError = z.infer<typeof apiError>;

export const health = z.object({
  ok: z.literal(true),
  version: z.string(),
  environmentId: z.string(),
  pid: z.number().int(),
  bundle: z.string().optional().describe("digest of the bundle the master runs; masters before 0.4 do not say"),
});
export type Health = z.infer<typeof health>;

/** One line of the pool view: nodes that share a provider, pool and site or region. */
export const poolRow = z.object({
  pool: z.string(),
  where: z.string().describe("e.g. local, onprem berlin, aws eu-central-1"),
  nodes: z.number().int(),
  nodesByState: z.partialRecord(nodeState, z.number().int()),
  capacity: resources,
  used: resources,
  hourly: z.number().describe("USD/hour"),
});
export const poolView = z.object({
  environment: z.string(),
  environmentId: z.string(),
  closing: z.boolean().describe("a teardown has begun: nothing is started or rescheduled"),
  rows: z.array(poolRow),
  total: poolRow.omit({ pool: true, where: true }),
  jobs: z.object({ pending: z.number().int(), running: z.number().int(), finished: z.number().int() }),
  pendingTasks: z.number().int(),
  bursts: z
    .object({
      launching: z.number().int().describe("decided or on the way"),
      live: z.number().int(),
      draining: z.number().int(),
      retiring: z.number().int(),
      leaked: z.number().int().describe("could not be destroyed and still cost"),
      hourly: z.number().describe("USD/hour of all that cost now"),
    })
    .optional()
    .describe("bursts by state; none: there is no burst that is not gone"),
});
export type PoolView = z.infer<typeof poolView>;

export const joinTokenReply = z.object({
  token: z.string().describe("single-use; secret"),
  expiresAt: z.number(),
});
export const joinRequest = z.object({
  node: z.string().max(63),
  token: z.string().max(255),
  csr: z.string().max(16_384).describe("PKCS#10 PEM, CN = node"),
  proof: instanceProof.optional().describe("which machine asks, by its cloud's word; with a token that is an instance's"),
});
export const joinReply = z.object({ certificate: z.string().describe("PEM chain: node, then intermediate"), expiresAt: z.number() });
/** Asks for a token that a machine is born with: its node need not be declared yet, and only the instance it is declared as can spend it. */
export const instanceTokenRequest = z.object({
  node: z.string().max(63),
  lifeMs: z
    .number()
    .int()
    .min(60_000)
    .max(2 * 3_600_000)
    .describe("for how long it can be spent: as long as a machine may take to boot and fetch its bundle"),
});
/** What a machine that nobody can log in to says when it can't take the agent. The token is the credential. */
export const joinProblem = z.object({
  node: z.string().max(63),
  token: z.string().max(255),
  problem: z.string().min(1).max(2000).describe("a sentence for people"),
});
export const joinTokenState = z.object({
  expiresAt: z.number().describe("ms since the epoch"),
  used: z.boolean(),
  problem: z.string().optional().describe("why its machine can't take the agent, by its own word"),
});
export type JoinTokenState = z.infer<typeof joinTokenState>;

/** A digest as bundles are named by. */
export const bundleDigest = z.string().regex(/^[0-9a-f]{64}$/);
/** One piece of a bundle's tarball on its way to the master, in order; an empty one asks what is there. */
export const bundlePiece = z.object({
  bytes: z
    .number()
    .int()
    .positive()
    .max(512 * 1024 * 1024)
    .describe("of the whole tarball"),
  sha256: bundleDigest.describe("of the whole tarball"),
  offset: z.number().int().nonnegative(),
  data: z.string().max(960_000).describe("base64"),
});
export const bundleState = z.object({
  have: z.number().int().describe("bytes that are there: the next piece's offset"),
  complete: z.boolean(),
});
export type BundleState = z.infer<typeof bundleState>;

export type JoinRequest = z.infer<typeof joinRequest>;
export type JoinReply = z.infer<typeof joinReply>;

export const nodeList = z.object({ nodes: z.array(nodeView) });
/** What nodes hold now, without the jobs around it: for whoever compares before and after. */
export const attemptList = z.object({
  attempts: z.array(attempt.pick({ taskId: true, node: true, state: true })).describe("those that have not ended"),
});
export type ActiveAttempt = z.infer<typeof attemptList>["attempts"][number];
export const jobList = z.object({ jobs: z.array(jobView) });

/** A decision or change, told with its reason. */
export const event = z.object({
  seq: z.number().int().describe("grows with each event; numbers may be left out"),
  at: z.number(),
  kind: z.string().describe("e.g. task-placed, node-lost, job-submitted"),
  subject: z.string().describe("what it is about: job/train-41, node/m2, environment"),
  message: z.string().describe("a sentence that says what was decided and why"),
  data: z.record(z.string(), z.unknown()).default({}).describe("the facts behind it: candidates, reasons, exit code …"),
});
export type PoolEvent = z.infer<typeof event>;
export const eventList = z.object({ events: z.array(event), lastSeq: z.number().int() });

/** Why something is as it is, now. */
export const explanation = z.object({
  subject: z.string(),
  summary: z.string().describe("one sentence"),
  /** For what waits: nodes looked at, grouped by the reason they were rejected. */
  rejected: z.array(z.object({ reason: z.string(), nodes: z.array(z.string()), detail: z.string().optional() })),
  burst: demandExplanation.optional().describe("for a job that waits: what the last burst plan said of it"),
  events: z.array(event),
});
export type Explanation = z.infer<typeof explanation>;

/** One line of a followed log (NDJSON). `data` is base64, since output need not be text. */
export const logLine = z.union([
  z.object({
    channel: z.enum(["stdout", "stderr"]),
    data: z.string(),
    skipped: z
      .number()
      .int()
      .positive()
      .optional()
      .describe("so many bytes of the output are no longer there; `data` is no output then, but a line that says so"),
  }),
  z.object({ end: z.literal(true), error: z.string().optional() }),
]);
export type LogLine = z.infer<typeof logLine>;

/** What a teardown has to wait for. */
export const closingView = z.object({ closing: z.boolean(), activeTasks: z.number().int(), pendingTasks: z.number().int() });
export type ClosingView = z.infer<typeof closingView>;

/** What POST /v1/close takes: it latches `closing`, cancels what waits and stops what runs. */
export const closeRequest = z.object({ graceMs: z.number().int().min(0).max(3_600_000).default(10_000), reason: z.string().max(500) });

/** One line of GET /v1/ledger (NDJSON): what ran, on what, and what was bought for it; kept after a teardown as final-ledger.jsonl. */
export const ledgerLine = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("environment"), name: z.string(), id: z.string(), at: z.number() }),
  z.object({ kind: z.literal("node"), node: nodeView }),
  z.object({ kind: z.literal("job"), job: jobDetail }),
  z.object({ kind: z.literal("burst"), row: burstRow }),
]);
export type LedgerLine = z.infer<typeof ledgerLine>;
