/** The output of a task as JSON lines, carried from its node. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { logLine } from "../../contract/api.ts";
import { assertLogReadable, jobLog } from "../jobs/logs.ts";
import type { Api, ApiContext } from "./context.ts";
import { ndjson } from "./ndjson.ts";
import { queryInteger, queryIntegerOr, streams } from "./route.ts";

const logsRoute = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/logs",
  operationId: "readJobLog",
  tags: ["jobs"],
  summary: "The output of one attempt",
  description:
    'One JSON object a line, in the order the task wrote; `data` is base64. The last line is `{"end":true}`, with `error` when the output could not be read to its end. ' +
    "A stream that ends without it was cut off. It is carried from the node as fast as it is read.",
  request: {
    params: z.object({ id: z.string().describe("the job's name") }),
    query: z.object({
      index: queryIntegerOr(0, { min: 0 }).describe("of the array"),
      attempt: queryInteger({ min: 1 }).optional().describe("the newest when left out"),
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
