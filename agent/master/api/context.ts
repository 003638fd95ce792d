/** What the routes of every noun are given. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { KeyedCertificate } from "../auth/certificates.ts";
import type { Leader } from "../leader.ts";
import type { ApiEnv } from "./guard.ts";

export type Api = OpenAPIHono<ApiEnv>;

/** The leader comes later than the listener, so it is asked for. */
export interface ApiContext {
  /** Throws a SpillwayError while the master is not ready. */
  readonly leader: () => Leader;
  readonly rootCa: string;
  /** Signs nodes' certificates; asked for each time, since it is renewed while the master runs. */
  readonly issuer: () => KeyedCertificate;
  /** Digest of the bundle this master runs, where it is told. */
  readonly bundle?: string | undefined;
}
