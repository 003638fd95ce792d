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
  request: { body: jsonBody(closeRequest) },
  responses: answers(closingViewSchema, "nothing is started any more; running tasks are being stopped"),
});
const openRoute = createRoute({ method: "post", path: "/v1/open", responses: answers(closingViewSchema, "jobs are taken again") });
const getRoute = createRoute({
  method: "get",
  path: "/v1/closing",
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
