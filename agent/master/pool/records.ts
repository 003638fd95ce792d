/** What the master keeps in its store: the form of each value and the name of its key. Parsed when the pool is loaded. */
import { z } from "zod";
import { burstPause, ledgerIdentity } from "../../contract/burst-api.ts";
import { burstRow } from "../../contract/ledger.ts";
import { nodeDeclaration, nodeFacts, nodeNotice } from "../../contract/node.ts";
import { burstPolicy } from "../../contract/policy.ts";
import { resources } from "../../contract/resources.ts";
import { attempt, indexState, jobSpec } from "../../contract/workload.ts";

export const prefixes = { node: "node/", job: "job/", index: "index/", token: "token/", burst: "burst/" } as const;
export const closingKey = "meta/closing";
export const ledgerKey = "meta/ledger";
export const authorityKey = "meta/authority";
export const burstPolicyKey = "meta/burst-policy";
export const burstPauseKey = "meta/burst-pause";

/** The contract's own forms are what is stored of bursts: its rows, policy and pause. */
export const burstRecords = { row: burstRow, ledger: ledgerIdentity, policy: burstPolicy, pause: burstPause } as const;
export type BurstPause = z.infer<typeof burstPause>;

export const nodeRecord = z.object({
  name: z.string(),
  declaration: nodeDeclaration,
  declaredAt: z.number(),
  keys: z
    .array(z.string())
    .describe("sha256 of the public keys whose certificates are this node's: the present and, while it renews, the last"),
  seen: z
    .object({ facts: nodeFacts, measured: resources, agentVersion: z.string(), bundle: z.string(), firstAt: z.number() })
    .optional()
    .describe("what its agent said last; absent until it has joined"),
  lostAt: z.number().optional().describe("given up at this time and not back since"),
  cordon: z
    .object({
      at: z.number(),
      reason: z.string().describe("the operator's words; may be empty"),
      drain: z
        .object({
          deadline: z.number().describe("ms since the epoch: what runs then is evicted"),
          drainedAt: z.number().optional().describe("its last task ended then"),
        })
        .optional(),
    })
    .optional()
    .describe("it gets no new task; with `drain` it also loses those it has"),
  notice: nodeNotice
    .extend({
      saidAt: z.number().describe("`at` by the agent's clock, by which the notice is known again"),
      heardAt: z.number().describe("first; what runs is evicted then, if the machine is taken away"),
      stoppedAt: z.number().describe("by then the evicted tasks have stopped"),
      overruled: z.boolean().optional().describe("the operator has uncordoned it since"),
    })
    .optional()
    .describe("what its cloud announces, `at` by the master's clock; absent when that is nothing"),
});
export type NodeRecord = z.infer<typeof nodeRecord>;

export const tokenRecord = z.object({
  sha256: z.string(),
  node: z.string(),
  expiresAt: z.number(),
  usedByKey: z.string().optional().describe("sha256 of the public key that used it; the same key is answered again"),
  instance: z.literal(true).optional().describe("spent only with the proof of the instance that the node is declared as"),
  problem: z
    .object({ text: z.string(), times: z.number().int() })
    .optional()
    .describe("what its machine said last of why it can't take the agent, and how many such words it has had"),
});
export type TokenRecord = z.infer<typeof tokenRecord>;

export const jobRecord = z.object({
  id: z.string(),
  spec: jobSpec,
  seq: z.number().int().describe("the order of submission"),
  submittedAt: z.number(),
  cancel: z.object({ at: z.number(), reason: z.string(), graceMs: z.number().int() }).optional(),
  finishedAt: z.number().optional(),
});
export type JobRecord = z.infer<typeof jobRecord>;

/** Written once an index had an attempt; without a record it is pending, or cancelled with its job. */
export const indexRecord = z.object({ state: indexState, attempts: z.array(attempt) });
export type IndexRecord = z.infer<typeof indexRecord>;

export const closingRecord = z.object({ at: z.number(), reason: z.string(), graceMs: z.number().int() });
export type ClosingRecord = z.infer<typeof closingRecord>;

/** Under which root CA the pool is; another one than before: the environment was adopted, and its nodes join anew. */
export const authorityRecord = z.object({
  sha256: z.string().describe("hex, of the root certificate"),
  rekeyedAt: z.number().optional().describe("ms since the epoch: since when there are nodes of a former root"),
});
export type AuthorityRecord = z.infer<typeof authorityRecord>;

export function nodeKey(name: string): string {
  return `${prefixes.node}${name}`;
}

export function burstKey(id: string): string {
  return `${prefixes.burst}${id}`;
}

export function jobKey(id: string): string {
  return `${prefixes.job}${id}`;
}

/** Padded, so that a range lists indexes in their order. */
export function indexKey(job: string, index: number): string {
  return `${prefixes.index}${job}/${String(index).padStart(5, "0")}`;
}

export function tokenKey(sha256: string): string {
  return `${prefixes.token}${sha256}`;
}

/** The job and index of a key made by `indexKey`. */
export function parseIndexKey(key: string): { job: string; index: number } {
  const [job = "", index = ""] = key.slice(prefixes.index.length).split("/");
  return { job, index: Number(index) };
}
