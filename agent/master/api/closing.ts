/** The teardown latch: close, open, and what is still to be waited for. */
import { createRoute } from "@hono/zod-openapi";
import { closeRequest, closingView as closingViewSchema } from "../../contract/api.ts";
import { close, reopen } from "../jobs/closing.ts";
import { closingView } from "../pool/views.ts";
import type { Api, ApiContext } from "./context.ts";
import { answers, jsonBody } from "./route.ts";

const closeRoute = createRoute({
  method: "post",
  path: "/v1/close",
  operationId: "closePool",
  tags: ["teardown"],
  summary: "Close the pool for a teardown",
  description:
    "Latches `closing`: no job is taken, what waits is cancelled, what runs is stopped with this grace. It stays closed over restarts.",
  request: { body: jsonBody(closeRequest) },
  responses: answers(closingViewSchema, "nothing is started any more; running tasks are being stopped"),
});
const openRoute = createRoute({
  method: "post",
  path: "/v1/open",
  operationId: "openPool",
  tags: ["teardown"],
  summary: "Open the pool again",
  description: "Takes the latch off; what was cancelled stays cancelled. Nothing happens to a pool that is open.",
  responses: answers(closingViewSchema, "jobs are taken again"),
});
const getRoute = createRoute({
  method: "get",
  path: "/v1/closing",
  operationId: "getClosing",
  tags: ["teardown"],
  summary: "What a teardown has to wait for",
  responses: answers(closingViewSchema, "what a teardown has to wait for"),
});

export function closingRoutes(api: Api, { leader }: ApiContext): void {
  api.openapi(closeRoute, async (context) => {
    await close(leader(), context.req.valid("json"));
    return context.json(closingView(leader().pool), 200);
  });
  api.openapi(openRoute, async (context) => {
    await reopen(leader());
    return context.json(closingView(leader().pool), 200);
  });
  api.openapi(getRoute, (context) => context.json(closingView(leader().pool), 200));
}
