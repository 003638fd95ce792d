/** Bursts, for people and programs: what there is and costs, what would be decided, the policy, pause and stop. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { burstView, pauseRequest, stopBurstRequest } from "../../contract/burst-api.ts";
import { burstRow } from "../../contract/ledger.ts";
import { burstPlan } from "../../contract/plan.ts";
import { burstPolicy } from "../../contract/policy.ts";
import { burstRowOf } from "../burst/ledger.ts";
import { pauseBursts, removePolicy, resumeBursts, setPolicy, stopBurst } from "../burst/operator.ts";
import { plannedNow } from "../burst/rounds.ts";
import { burstViewOf } from "../burst/view.ts";
import type { Api, ApiContext } from "./context.ts";
import { answers, jsonBody } from "./route.ts";

const params = z.object({ id: z.string().describe("the burst's id") });
const asView = (description: string) => answers(burstView, description);
const listRoute = createRoute({
  method: "get",
  path: "/v1/bursts",
  operationId: "listBursts",
  tags: ["bursts"],
  summary: "The bursts, and their money",
  description: "Those that ended are kept for 62 days.",
  request: { query: z.object({ all: z.enum(["true", "false"]).default("false").describe("also those that are gone") }) },
  responses: asView("the ledger, the budget, the policy, and who applies it"),
});
const getRoute = createRoute({
  method: "get",
  path: "/v1/bursts/{id}",
  operationId: "getBurst",
  tags: ["bursts"],
  summary: "One burst",
  request: { params },
  responses: answers(burstRow, "its row in the ledger"),
});
const stopRoute = createRoute({
  method: "post",
  path: "/v1/bursts/{id}/stop",
  operationId: "stopBurst",
  tags: ["bursts"],
  summary: "Give a burst back",
  description:
    "What was not launched is withdrawn; what is live drains first, by the policy's deadline, unless it is to go now. It answers when that is decided and durable, not when the machines are gone.",
  request: { params, body: jsonBody(stopBurstRequest) },
  responses: answers(burstRow, "its row; nothing has changed when it was on its way out already"),
});
const planRoute = createRoute({
  method: "get",
  path: "/v1/burst/plan",
  operationId: "planBursts",
  tags: ["bursts"],
  summary: "What would be decided now",
  description: "Nothing of it is applied. It may be slower than other questions: the plan is made for it.",
  responses: answers(burstPlan, "what would be bought and given back, and why; also why not"),
});
const putPolicyRoute = createRoute({
  method: "put",
  path: "/v1/burst/policy",
  operationId: "setBurstPolicy",
  tags: ["bursts"],
  summary: "Set the burst policy",
  request: { body: jsonBody(burstPolicy) },
  responses: asView("the policy counts from now on"),
});
const deletePolicyRoute = createRoute({
  method: "delete",
  path: "/v1/burst/policy",
  operationId: "removeBurstPolicy",
  tags: ["bursts"],
  summary: "Take the burst policy away",
  description: "Nothing is bought any more, and what was bought drains and goes.",
  responses: asView("this environment does not burst any more"),
});
const pauseRoute = createRoute({
  method: "post",
  path: "/v1/burst/pause",
  operationId: "pauseBursts",
  tags: ["bursts"],
  summary: "Buy nothing for now",
  description: "Holds for what was decided and not launched too, and over restarts. What is live stays, and still goes when it is idle.",
  request: { body: jsonBody(pauseRequest) },
  responses: asView("nothing is bought any more; the rows say what runs and what it costs"),
});
const resumeRoute = createRoute({
  method: "post",
  path: "/v1/burst/resume",
  operationId: "resumeBursts",
  tags: ["bursts"],
  summary: "End the pause",
  responses: asView("the policy counts again"),
});

export function burstRoutes(api: Api, { leader }: ApiContext): void {
  const view = async (all = false) => {
    const told = burstViewOf(leader(), { all });
    await leader().writer.settled();
    return told;
  };
  api.openapi(listRoute, async (context) => context.json(await view(context.req.valid("query").all === "true"), 200));
  api.openapi(getRoute, (context) => context.json(burstRowOf(leader(), context.req.valid("param").id), 200));
  api.openapi(stopRoute, async (context) =>
    context.json(await stopBurst(leader(), context.req.valid("param").id, context.req.valid("json")), 200),
  );
  api.openapi(planRoute, async (context) => context.json(await plannedNow(leader()), 200));
  api.openapi(putPolicyRoute, async (context) => {
    await setPolicy(leader(), context.req.valid("json"));
    return context.json(await view(), 200);
  });
  api.openapi(deletePolicyRoute, async (context) => {
    await removePolicy(leader());
    return context.json(await view(), 200);
  });
  api.openapi(pauseRoute, async (context) => {
    await pauseBursts(leader(), context.req.valid("json").reason);
    return context.json(await view(), 200);
  });
  api.openapi(resumeRoute, async (context) => {
    await resumeBursts(leader());
    return context.json(await view(), 200);
  });
}
