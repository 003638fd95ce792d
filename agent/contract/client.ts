/** A typed client of the master's HTTP API (/v1): one method per route, answers parsed by the contract, streams as async iterables. */

import { z } from "zod";
import {
  type ActiveAttempt,
  attemptList,
  type BundleState,
  type bundlePiece,
  bundleState,
  type ClosingView,
  type closeRequest,
  closingView,
  type Explanation,
  event,
  eventList,
  explanation,
  type Health,
  health,
  type instanceTokenRequest,
  type JoinReply,
  type JoinRequest,
  type JoinTokenState,
  jobList,
  joinReply,
  joinTokenReply,
  joinTokenState,
  type LedgerLine,
  type LogLine,
  ledgerLine,
  logLine,
  nodeList,
  type PoolEvent,
  type PoolView,
  poolView,
} from "./api.ts";
import {
  type BursterReply,
  type BursterReport,
  type BurstView,
  type BurstWork,
  bursterReply,
  type burstReport,
  type burstTelling,
  burstView,
  burstWork,
  type cordonRequest,
  type drainRequest,
  type pauseRequest,
  type stopBurstRequest,
} from "./burst-api.ts";
import { type ConnectionOptions, connect } from "./client-connection.ts";
import { SpillwayError } from "./errors.ts";
import { type BurstRow, burstRow } from "./ledger.ts";
import { type NodeView, type nodeDeclaration, nodeView } from "./node.ts";
import { type BurstPlan, burstPlan } from "./plan.ts";
import type { burstPolicy } from "./policy.ts";
import { type JobDetail, type JobState, type JobView, jobDetail, type jobSpec, jobView } from "./workload.ts";

export interface EventQuery {
  /** Only events with a greater `seq`. */
  readonly after?: number;
  readonly subject?: string;
  readonly limit?: number;
}

export interface LogQuery {
  /** 0 when left out. */
  readonly index?: number;
  /** The latest when left out. */
  readonly attempt?: number;
  /** Stay until the task ends. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Every method throws a SpillwayError: the master's own code, message and hint, or `master-unreachable`,
 * `master-untrusted` (TLS), `master-timeout`, `unexpected-answer`, `stream-interrupted` (a connection that was there broke
 * off: what was asked for may have been done). An aborted stream just ends.
 */
export interface Client {
  health(): Promise<Health>;
  pool(): Promise<PoolView>;
  nodes(): Promise<NodeView[]>;
  node(name: string): Promise<NodeView>;
  declareNode(name: string, declaration: z.input<typeof nodeDeclaration>): Promise<NodeView>;
  makeJoinToken(name: string): Promise<z.infer<typeof joinTokenReply>>;
  /** For a machine that is still to be made: its node need not be declared. */
  makeInstanceToken(wish: z.input<typeof instanceTokenRequest>): Promise<z.infer<typeof joinTokenReply>>;
  /** Throws `not-found` when the node has no token that lives. */
  joinTokenState(node: string): Promise<JoinTokenState>;
  /** One piece of a bundle's tarball (gzip), in order. Throws `piece-misplaced` and `bundle-broken`. */
  putBundlePiece(digest: string, piece: z.input<typeof bundlePiece>): Promise<BundleState>;
  /** `removed` is false when there was no such node. */
  removeNode(name: string): Promise<{ removed: boolean }>;
  cordonNode(name: string, body?: z.input<typeof cordonRequest>): Promise<NodeView>;
  /** Also ends a drain. */
  uncordonNode(name: string): Promise<NodeView>;
  drainNode(name: string, body?: z.input<typeof drainRequest>): Promise<NodeView>;
  join(joinRequest: JoinRequest): Promise<JoinReply>;
  /** `created` is false when a job of this name and spec was there already; another spec is an error. */
  submitJob(spec: z.input<typeof jobSpec>): Promise<{ job: JobView; created: boolean }>;
  jobs(state?: JobState): Promise<JobView[]>;
  job(id: string): Promise<JobDetail>;
  /** Every attempt that has not ended. */
  attempts(): Promise<ActiveAttempt[]>;
  cancelJob(id: string): Promise<JobView>;
  /** The output of one attempt, oldest first. Throws when it can't be read to its end. */
  logs(id: string, query?: LogQuery): AsyncGenerator<LogLine, void>;
  events(query?: EventQuery): Promise<z.infer<typeof eventList>>;
  followEvents(query?: EventQuery & { readonly signal?: AbortSignal }): AsyncGenerator<PoolEvent, void>;
  explain(subject: string): Promise<Explanation>;
  close(body: z.input<typeof closeRequest>): Promise<ClosingView>;
  open(): Promise<ClosingView>;
  closing(): Promise<ClosingView>;
  ledger(signal?: AbortSignal): AsyncGenerator<LedgerLine, void>;
  /** With `all` also those that are gone. */
  bursts(query?: { readonly all?: boolean }): Promise<BurstView>;
  burst(id: string): Promise<BurstRow>;
  /** What would be decided now; nothing of it is applied. */
  burstPlan(): Promise<BurstPlan>;
  setBurstPolicy(policy: z.input<typeof burstPolicy>): Promise<BurstView>;
  /** From then on nothing is bought, and what was bought goes as if it were idle. */
  removeBurstPolicy(): Promise<BurstView>;
  pauseBursts(body?: z.input<typeof pauseRequest>): Promise<BurstView>;
  resumeBursts(): Promise<BurstView>;
  stopBurst(id: string, body?: z.input<typeof stopBurstRequest>): Promise<BurstRow>;
  /** Throws `burster-held` while another burster is heard. */
  reportBurster(report: BursterReport): Promise<BursterReply>;
  /** Waits up to `waitMs` for a change after the revision. */
  burstWork(query?: { readonly after?: number; readonly waitMs?: number }): Promise<BurstWork>;
  /** Throws `launch-refused` (the intent was withdrawn then), `ledger-refused`, `burster-held`. */
  reportBurst(id: string, report: z.input<typeof burstReport>): Promise<BurstRow>;
  tellBurst(telling: z.input<typeof burstTelling>): Promise<void>;
  /** Closes kept connections. Without it they end by themselves and never hold the process. */
  dispose(): void;
}

/** Makes a client; nothing is dialled before the first call. */
export function createClient(options: ConnectionOptions): Client {
  const call = connect(options);
  const segment = encodeURIComponent;
  const get = <T>(path: string, schema: z.ZodType<T>): Promise<T> => call.json("GET", path, schema);
  const post = <T>(path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> => call.json("POST", path, schema, body);
  return {
    health: () => get("/v1/health", health),
    pool: () => get("/v1/pool", poolView),
    nodes: async () => (await get("/v1/nodes", nodeList)).nodes,
    node: (name) => get(`/v1/nodes/${segment(name)}`, nodeView),
    declareNode: (name, declaration) => call.json("PUT", `/v1/nodes/${segment(name)}`, nodeView, declaration),
    makeJoinToken: (name) => post(`/v1/nodes/${segment(name)}/join-token`, joinTokenReply),
    makeInstanceToken: (wish) => post("/v1/join-tokens", joinTokenReply, wish),
    joinTokenState: (node) => get(`/v1/join-tokens/${segment(node)}`, joinTokenState),
    putBundlePiece: (digest, piece) => call.json("PUT", `/v1/bundles/${segment(digest)}`, bundleState, piece),
    removeNode: (name) => call.json("DELETE", `/v1/nodes/${segment(name)}`, z.object({ removed: z.boolean() })),
    cordonNode: (name, body = {}) => post(`/v1/nodes/${segment(name)}/cordon`, nodeView, body),
    uncordonNode: (name) => post(`/v1/nodes/${segment(name)}/uncordon`, nodeView),
    drainNode: (name, body = {}) => post(`/v1/nodes/${segment(name)}/drain`, nodeView, body),
    join: (body) => post("/v1/join", joinReply, body),
    submitJob: async (spec) => {
      const answer = await call.answer("POST", "/v1/jobs", jobView, spec);
      return { job: answer.body, created: answer.status === 201 };
    },
    jobs: async (state) => (await get(`/v1/jobs${queryOf({ state })}`, jobList)).jobs,
    job: (id) => get(`/v1/jobs/${segment(id)}`, jobDetail),
    attempts: async () => (await get("/v1/attempts", attemptList)).attempts,
    cancelJob: (id) => post(`/v1/jobs/${segment(id)}/cancel`, jobView),
    logs: (id, query = {}) =>
      completeLog(call.lines(`/v1/jobs/${segment(id)}/logs${logQueryOf(query)}`, logLine, query.signal), id, query.signal),
    events: (query = {}) => get(`/v1/events${queryOf({ ...query })}`, eventList),
    followEvents: ({ signal, ...query } = {}) => call.lines(`/v1/events${queryOf({ ...query, follow: true })}`, event, signal),
    explain: (subject) => get(`/v1/explain${queryOf({ subject })}`, explanation),
    close: (body) => post("/v1/close", closingView, body),
    open: () => post("/v1/open", closingView),
    closing: () => get("/v1/closing", closingView),
    ledger: (signal) => call.lines("/v1/ledger", ledgerLine, signal),
    bursts: (query = {}) => get(`/v1/bursts${queryOf({ ...query })}`, burstView),
    burst: (id) => get(`/v1/bursts/${segment(id)}`, burstRow),
    burstPlan: () => get("/v1/burst/plan", burstPlan),
    setBurstPolicy: (policy) => call.json("PUT", "/v1/burst/policy", burstView, policy),
    removeBurstPolicy: () => call.json("DELETE", "/v1/burst/policy", burstView),
    pauseBursts: (body = {}) => post("/v1/burst/pause", burstView, body),
    resumeBursts: () => post("/v1/burst/resume", burstView),
    stopBurst: (id, body = {}) => post(`/v1/bursts/${segment(id)}/stop`, burstRow, body),
    reportBurster: (report) => call.json("PUT", "/v1/burst/burster", bursterReply, report),
    burstWork: (query = {}) => get(`/v1/burst/work${queryOf({ after: query.after, waitMs: query.waitMs })}`, burstWork),
    reportBurst: (id, report) => post(`/v1/bursts/${segment(id)}/events`, burstRow, report),
    tellBurst: async (telling) => {
      await post("/v1/burst/tell", z.object({}), telling);
    },
    dispose: call.dispose,
  };
}

/** A log that ends without its `end` line was cut off: the master stopped, or the node's connection broke. */
async function* completeLog(
  lines: AsyncGenerator<LogLine, void>,
  id: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<LogLine, void> {
  for await (const line of lines) {
    yield line;
    if ("end" in line) return;
  }
  if (signal?.aborted) return;
  throw new SpillwayError("the log broke off before its end", {
    code: "stream-interrupted",
    where: `job/${id}`,
    hint: `\`spillway logs ${id}\` reads it again from its beginning.`,
  });
}

function logQueryOf({ index, attempt, follow }: LogQuery): string {
  return queryOf({ index, attempt, follow });
}

function queryOf(values: Record<string, string | number | boolean | undefined>): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== undefined && value !== false) query.set(key, String(value));
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}
