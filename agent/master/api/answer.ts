/** How the API answers when something is wrong: one body for all errors, and the status that goes with each code. */
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ApiError } from "../../contract/api.ts";
import { SpillwayError } from "../../contract/errors.ts";
import type { Log } from "../log.ts";

/** The HTTP status that goes with each code; any other code is 500. */
export const statuses: Readonly<Record<string, ContentfulStatusCode>> = {
  "invalid-request": 400,
  "bad-csr": 400,
  unauthorized: 401,
  "bad-token": 401,
  forbidden: 403,
  "bad-instance-proof": 403,
  "wrong-instance": 403,
  "not-found": 404,
  closing: 409,
  "job-exists": 409,
  "not-started": 409,
  "burster-held": 409,
  "launch-refused": 409,
  "ledger-refused": 409,
  "piece-misplaced": 409,
  "bad-range": 416,
  "too-large": 413,
  "job-too-large": 413,
  "never-fits": 422,
  "unknown-node-pool": 422,
  "bundle-broken": 422,
  "not-yet": 425,
  "too-many-tasks": 429,
  "too-many-streams": 429,
  starting: 503,
  "node-away": 503,
  "store-full": 507,
  "store-failed": 507,
};

/** Answers with the error's status; what is no SpillwayError is a bug: logged, and told without its text. */
export function answerError(error: unknown, context: Context, log: Log): Response {
  if (error instanceof SpillwayError) return context.json(bodyOf(error), statuses[error.code] ?? 500);
  if (error instanceof HTTPException) {
    const code = error.status === 413 ? "too-large" : "invalid-request";
    return context.json(
      bodyOf(new SpillwayError(error.message || "the request can't be understood", { code, hint: "See /v1/openapi.json." })),
      error.status,
    );
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log("error", "api", `${context.req.method} ${context.req.path}: ${message}`);
  return context.json(bodyOf(new SpillwayError("the master failed to answer", { code: "internal", hint: "See the master's log." })), 500);
}

export function bodyOf(error: SpillwayError): ApiError {
  const message = error.where === undefined ? error.message : `${error.where}: ${error.message}`;
  return { error: { code: error.code, message, ...(error.hint === undefined ? {} : { hint: error.hint }) } };
}
