/** Attempts that have not ended, whatever their jobs: what a change of a node's agent has to leave as it is. */
import { createRoute } from "@hono/zod-openapi";
import { type ActiveAttempt, attemptList } from "../../contract/api.ts";
import { parseTaskId } from "../../contract/workload.ts";
import { activeAttempt, type Pool } from "../pool/pool.ts";
import type { Api, ApiContext } from "./context.ts";
import { answers } from "./route.ts";

const listRoute = createRoute({
  method: "get",
  path: "/v1/attempts",
  operationId: "listAttempts",
  tags: ["jobs"],
  summary: "The attempts that have not ended",
  responses: answers(attemptList, "assigned, running or stopping attempts, by node"),
});

export function attemptRoutes(api: Api, { leader }: ApiContext): void {
  api.openapi(listRoute, (context) => context.json({ attempts: activeAttempts(leader().pool) }, 200));
}

/** By what nodes hold, so that finished jobs cost nothing. */
export function activeAttempts({ nodes, jobs }: Pool): ActiveAttempt[] {
  return [...nodes.values()].flatMap((node) =>
    [...node.tasks].flatMap((taskId) => {
      const parsed = parseTaskId(taskId);
      const active = parsed === undefined ? undefined : activeAttempt(jobs.get(parsed.job)?.indexes[parsed.index]);
      return active?.taskId === taskId ? [{ taskId, node: node.record.name, state: active.state }] : [];
    }),
  );
}
