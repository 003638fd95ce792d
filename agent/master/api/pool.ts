/** The pool as one view, the master's health, why things are as they are, and the ledger. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { explanation, health, type LedgerLine, ledgerLine, poolView as poolViewSchema } from "../../contract/api.ts";
import { productVersion } from "../../contract/version.ts";
import { assertWritable, type Leader } from "../leader.ts";
import { burstOf } from "../lifecycle/cordon-state.ts";
import { jobDetail, nodeView, poolView } from "../pool/views.ts";
import { explain } from "../scheduler/explain.ts";
import type { Api, ApiContext } from "./context.ts";
import { ndjson } from "./ndjson.ts";
import { answers, streams } from "./route.ts";

const healthRoute = createRoute({
  method: "get",
  path: "/v1/health",
  operationId: "getHealth",
  tags: ["pool"],
  summary: "Whether the master is well",
  security: [],
  responses: answers(health, "the master is up, leads its pool and can write its state"),
});
const poolRoute = createRoute({
  method: "get",
  path: "/v1/pool",
  operationId: "getPool",
  tags: ["pool"],
  summary: "The pool as one view",
  responses: answers(poolViewSchema, "all nodes' resources, and what waits"),
});
const explainRoute = createRoute({
  method: "get",
  path: "/v1/explain",
  operationId: "explain",
  tags: ["explanations"],
  summary: "Why something is as it is, now",
  request: { query: z.object({ subject: z.string().describe("job/<id>, node/<name>, burst/<id> or environment") }) },
  responses: answers(explanation, "why it is as it is"),
});
const ledgerRoute = createRoute({
  method: "get",
  path: "/v1/ledger",
  operationId: "readLedger",
  tags: ["teardown"],
  summary: "What ran, on what, and what was bought for it",
  description: "One JSON object a line: the environment, then every node, every job, every burst. It ends by itself.",
  responses: streams(ledgerLine, "the ledger"),
});

export function poolRoutes(api: Api, { leader, bundle }: ApiContext): void {
  api.openapi(healthRoute, (context) => {
    const leading = leader();
    assertWritable(leading);
    const environmentId = leading.config.environment.id;
    const known = bundle === undefined ? {} : { bundle };
    return context.json({ ok: true as const, version: productVersion, environmentId, pid: process.pid, ...known }, 200);
  });
  api.openapi(poolRoute, (context) => {
    const { pool, config } = leader();
    return context.json(poolView(pool, config.environment), 200);
  });
  api.openapi(explainRoute, (context) => context.json(explain(leader(), context.req.valid("query").subject), 200));
  api.openapi(ledgerRoute, (context) => ndjson(context, leader().shutdown.signal, () => ledger(leader())) as never);
}

async function* ledger(leader: Leader): AsyncGenerator<LedgerLine> {
  await leader.writer.settled();
  const { environment } = leader.config;
  yield { kind: "environment", name: environment.name, id: environment.id, at: leader.clock.now() };
  for (const node of leader.pool.nodes.values()) yield { kind: "node", node: nodeView(node, burstOf(leader.pool, node)) };
  for (const job of leader.pool.jobs.values()) yield { kind: "job", job: jobDetail(job) };
  for (const row of leader.pool.bursts.values()) yield { kind: "burst", row };
}
