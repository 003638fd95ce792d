/** The HTTP API as one Hono app: the guard, the limits, and the routes of each noun. */
import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { SpillwayError } from "../../contract/errors.ts";
import type { Log } from "../log.ts";
import { answerError } from "./answer.ts";
import { attemptRoutes } from "./attempts.ts";
import { bundleRoutes } from "./bundles.ts";
import { bursterRoutes } from "./burster.ts";
import { burstRoutes } from "./bursts.ts";
import { closingRoutes } from "./closing.ts";
import type { Api, ApiContext } from "./context.ts";
import { documentOf, documentPath } from "./document.ts";
import { eventRoutes } from "./events.ts";
import { type ApiEnv, guard, type OwnNames } from "./guard.ts";
import { jobRoutes } from "./jobs.ts";
import { joinRoutes } from "./join.ts";
import { logRoutes } from "./logs.ts";
import { nodeRoutes } from "./nodes.ts";
import { poolRoutes } from "./pool.ts";

const maxBodyBytes = 1024 * 1024;
/** Nothing of what these tell has to be durable first. */
const stateless = new Set(["/v1/health", documentPath]);

export function createApi(
  context: ApiContext,
  options: { readonly own: OwnNames; readonly adminTokenSha256: string; readonly log: Log },
): Api {
  const api: Api = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error.issues);
    },
  });
  api.onError((error, request) => answerError(error, request, options.log));
  api.use("*", async (request, next) => {
    await next();
    request.header("cache-control", "no-store");
    request.header("x-content-type-options", "nosniff");
  });
  api.use("*", guard(options.own, options.adminTokenSha256));
  api.use(
    "*",
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: () => {
        throw new SpillwayError(`a request's body may have ${maxBodyBytes} bytes`, {
          code: "too-large",
          hint: "Put large data into a file that the nodes can read.",
        });
      },
    }),
  );
  // What is told may have been read from memory a moment before it is durable: it is told when it is.
  api.use("*", async (request, next) => {
    await next();
    if (request.req.method === "GET" && !stateless.has(request.req.path)) await context.leader().writer.settled();
  });
  poolRoutes(api, context);
  nodeRoutes(api, context);
  joinRoutes(api, context);
  bundleRoutes(api, context);
  jobRoutes(api, context);
  attemptRoutes(api, context);
  logRoutes(api, context);
  eventRoutes(api, context);
  burstRoutes(api, context);
  bursterRoutes(api, context);
  closingRoutes(api, context);
  let document: object | undefined;
  api.get(documentPath, (request) => request.json((document ??= documentOf(api))));
  api.notFound(() => {
    throw new SpillwayError("there is no such thing in this API", { code: "not-found", hint: "See /v1/openapi.json." });
  });
  return api;
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function invalidRequest(issues: readonly Issue[]): SpillwayError {
  const told = issues
    .slice(0, 5)
    .map((issue) => (issue.path.length === 0 ? issue.message : `${issue.path.map(String).join(".")}: ${issue.message}`));
  return new SpillwayError(told.join("; "), { code: "invalid-request", hint: "See /v1/openapi.json." });
}
