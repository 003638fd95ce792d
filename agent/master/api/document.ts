/** The API's description of itself (OpenAPI 3.1), made of the routes and the contract's schemas. docs/openapi.json is a copy of it. */
import { type ZodType, z } from "zod";
import * as bodies from "../../contract/api.ts";
import * as bursts from "../../contract/burst-api.ts";
import { budgetView, budgetWindow, burstRow, burstState } from "../../contract/ledger.ts";
import { nodeDeclaration, nodeFacts, nodeState, nodeView } from "../../contract/node.ts";
import * as plans from "../../contract/plan.ts";
import { burstPolicy } from "../../contract/policy.ts";
import { resources } from "../../contract/resources.ts";
import { productVersion } from "../../contract/version.ts";
import { attempt, jobDetail, jobIndex, jobSpec, jobState, jobView } from "../../contract/workload.ts";
import { statuses } from "./answer.ts";
import type { Api } from "./context.ts";

/** Served to anybody who may connect: it holds nothing of the environment, and tools read it before they have a token. */
export const documentPath = "/v1/openapi.json";

/** Schemas that bear a name of their own, under `#/components/schemas`. */
const named: Readonly<Record<string, ZodType>> = {
  Attempt: attempt,
  AttemptList: bodies.attemptList,
  Budget: budgetView,
  BudgetWindow: budgetWindow,
  Burst: burstRow,
  BurstOffer: plans.offer,
  BurstPlan: plans.burstPlan,
  BurstPolicy: burstPolicy,
  BurstState: burstState,
  BurstWork: bursts.burstWork,
  Burster: bursts.bursterView,
  Bursts: bursts.burstView,
  CloseRequest: bodies.closeRequest,
  Closing: bodies.closingView,
  Error: bodies.apiError,
  Event: bodies.event,
  EventList: bodies.eventList,
  Explanation: bodies.explanation,
  Health: bodies.health,
  DemandExplanation: plans.demandExplanation,
  JobDetail: jobDetail,
  JobIndex: jobIndex,
  JobList: bodies.jobList,
  JobSpec: jobSpec,
  JobState: jobState,
  JobView: jobView,
  JoinReply: bodies.joinReply,
  JoinRequest: bodies.joinRequest,
  JoinToken: bodies.joinTokenReply,
  LedgerLine: bodies.ledgerLine,
  LogLine: bodies.logLine,
  NodeDeclaration: nodeDeclaration,
  NodeFacts: nodeFacts,
  NodeList: bodies.nodeList,
  NodeState: nodeState,
  NodeView: nodeView,
  Pool: bodies.poolView,
  PoolRow: bodies.poolRow,
  Resources: resources,
};
// Here the generator looks for a name. Its own way, `.openapi(name)`, names a copy, which the schemas that hold this one know nothing of.
for (const [refId, schema] of Object.entries(named)) z.globalRegistry.add(schema, { ...schema.meta(), _internal: { refId } });

const tags = [
  { name: "pool", description: "All nodes' resources as one view." },
  { name: "nodes", description: "The machines whose agents have joined, or are to." },
  { name: "jobs", description: "Commands that run to completion: once, or as an array." },
  { name: "bursts", description: "Machines bought for a while because the pool was full: what, why, for how much." },
  { name: "burster", description: "How the one process that spends money is told what to do, and tells what it did." },
  { name: "explanations", description: "Every decision is an event with its reason." },
  { name: "teardown", description: "Closing the pool in order, and what it leaves to be kept." },
  { name: "agents", description: "How agents get their certificates; people and programs have no use for it." },
];

const introduction = `The API of an environment's master, for people and programs.

**Access.** HTTPS with a certificate of the environment's own CA, and the admin token as a bearer token: \`spillway login\` tells both. Requests from
pages of other origins, and by host names the master does not go by, are refused.

**Units.** Times are milliseconds since the epoch, spans milliseconds, cpu millicores, memory and disk MiB, prices USD per hour, other money USD.

**Streams** are \`application/x-ndjson\`: one JSON object a line, each of the schema that is given, made as fast as it is read.

**Errors** all have the body \`Error\`; \`code\` is stable and decides the status:

| code | status |
|---|---|
${Object.entries(statuses)
  .map(([code, status]) => `| \`${code}\` | ${status} |`)
  .join("\n")}
| any other | 500 |

A program may repeat what was answered with 503, and every GET, PUT and DELETE. Within \`/v1\`, fields and codes are added, never taken away or
given another meaning: ignore those you do not know. Agents speak with the master over WebSockets that are not part of this.`;

/** The document of this API, once all its routes are there. */
export function documentOf(api: Api): object {
  api.openAPIRegistry.registerComponent("securitySchemes", "adminToken", {
    type: "http",
    scheme: "bearer",
    description: "The environment's admin token: `spillway login --show-token`. Whoever has it rules the pool.",
  });
  return api.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Spillway master",
      version: productVersion,
      description: introduction,
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: "/", description: "the master that serves this document" }],
    security: [{ adminToken: [] }],
    tags,
  });
}
