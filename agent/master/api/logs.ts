/** The output of a task as JSON lines, carried from its node. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { logLine } from "../../contract/api.ts";
import { assertLogReadable, jobLog } from "../jobs/logs.ts";
import type { Api, ApiContext } from "./context.ts";
import { ndjson } from "./ndjson.ts";
import { streams } from "./route.ts";

const logsRoute = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/logs",
  request: {
    params: z.object({ id: z.string() }),
    query: z.object({
      index: z.coerce.number().int().min(0).default(0),
      attempt: z.coerce.number().int().min(1).optional().describe("the newest when left out"),
      follow: z.enum(["true", "false"]).default("false").describe("wait for the task to start, and go on until it has ended"),
    }),
  },
  responses: streams(logLine, "the output from its beginning; the last line is { end: true }"),
});

export function logRoutes(api: Api, { leader }: ApiContext): void {
  api.openapi(logsRoute, (context) => {
    const { index, attempt, follow } = context.req.valid("query");
    const request = { job: context.req.valid("param").id, index, attempt, follow: follow === "true" };
    assertLogReadable(leader(), request);
    return ndjson(context, leader().shutdown.signal, (signal) => jobLog(leader(), request, signal)) as never;
  });
}
