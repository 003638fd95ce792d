/** The burster's side of bursts: it says what it is and offers, takes work, and reports what became of it. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { bursterReply, bursterReport, burstReport, burstTelling, burstWork } from "../../contract/burst-api.ts";
import { burstRow } from "../../contract/ledger.ts";
import { heardBurster } from "../burst/burster.ts";
import { takeBurstReport, takeTelling } from "../burst/report.ts";
import { maxWaitMs, burstWork as workFor } from "../burst/work.ts";
import type { Api, ApiContext } from "./context.ts";
import { answers, jsonBody, queryInteger, queryIntegerOr } from "./route.ts";

const reportSelfRoute = createRoute({
  method: "put",
  path: "/v1/burst/burster",
  operationId: "reportBurster",
  tags: ["burster"],
  summary: "Say which burster applies plans, and what it offers",
  description:
    "Every few seconds. One alone is heard: another is answered with 409 `burster-held` until the first was silent for `leaseMs`.",
  request: { body: jsonBody(bursterReport) },
  responses: answers(bursterReply, "this burster is heard"),
});
const workRoute = createRoute({
  method: "get",
  path: "/v1/burst/work",
  operationId: "awaitBurstWork",
  tags: ["burster"],
  summary: "What there is to do",
  description: "All rows that are not gone; their states say what to do. With `after` and `waitMs` it waits until the ledger has changed.",
  request: {
    query: z.object({
      after: queryInteger({ min: 0 }).optional().describe("the revision that is known; it is answered as soon as there is another"),
      waitMs: queryIntegerOr(0, { min: 0, max: maxWaitMs }).describe("wait at most so long"),
    }),
  },
  responses: answers(burstWork, "the rows, and the revision to ask with the next time"),
});
const eventRoute = createRoute({
  method: "post",
  path: "/v1/bursts/{id}/events",
  operationId: "reportBurst",
  tags: ["burster"],
  summary: "Move a burst along",
  description:
    "`launch` comes before anything is bought: it is looked at again, and refused with 409 `launch-refused` when it must not be any more; the intent is withdrawn then. " +
    "Reported again, what is so already is answered with the row.",
  request: { params: z.object({ id: z.string().describe("the burst's id") }), body: jsonBody(burstReport) },
  responses: answers(burstRow, "the row, durable"),
});
const tellRoute = createRoute({
  method: "post",
  path: "/v1/burst/tell",
  operationId: "tellBurst",
  tags: ["burster"],
  summary: "Put an event into the journal",
  request: { body: jsonBody(burstTelling) },
  responses: answers(z.object({}), "it is among the events"),
});

export function bursterRoutes(api: Api, { leader }: ApiContext): void {
  api.openapi(reportSelfRoute, async (context) => context.json(await heardBurster(leader(), context.req.valid("json")), 200));
  api.openapi(workRoute, async (context) => context.json(await workFor(leader(), context.req.valid("query")), 200));
  api.openapi(eventRoute, async (context) =>
    context.json(await takeBurstReport(leader(), context.req.valid("param").id, context.req.valid("json")), 200),
  );
  api.openapi(tellRoute, (context) => {
    takeTelling(leader(), context.req.valid("json"));
    return context.json({}, 200);
  });
}
