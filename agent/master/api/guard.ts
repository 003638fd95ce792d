/**
 * Who may call the API: requests that name this master as their host, do not come from a page of another origin, and
 * bear the admin token. A page in a browser can reach a loopback port; this is what keeps it out.
 */
import type { HttpBindings } from "@hono/node-server";
import type { MiddlewareHandler } from "hono";
import { SpillwayError } from "../../contract/errors.ts";
import { isAdmin } from "../auth/admin-token.ts";
import { documentPath } from "./document.ts";

export interface ApiEnv {
  Bindings: HttpBindings;
}

/** These need no admin token: the first two say nothing secret, the others bear credentials of their own. */
const openPaths = new Set(["/v1/health", documentPath, "/v1/join", "/v1/join-problem", "/v1/renew"]);
/** Asks for a credential of its own: an admin's, a node's, or a join token. */
const bundlePath = /^\/v1\/bundles\/[^/]+$/;

export interface OwnNames {
  /** Host names, lower-case, without ports. */
  readonly hosts: readonly string[];
  /** The endpoint's origin. */
  readonly origin: string;
}

/** A message why these headers are refused; undefined when they are fine. The port does not matter: it may be forwarded. */
export function refusedHeaders(
  headers: { readonly host: string | undefined; readonly origin: string | undefined },
  own: OwnNames,
): string | undefined {
  const host = hostName(headers.host);
  if (host === undefined || !own.hosts.includes(host)) return "this master is not known by that host name";
  if (headers.origin !== undefined && headers.origin !== own.origin) return "pages of other origins may not use this master";
  return undefined;
}

export function guard(own: OwnNames, adminTokenSha256: string): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const refused = refusedHeaders({ host: context.req.header("host"), origin: context.req.header("origin") }, own);
    if (refused !== undefined) {
      throw new SpillwayError(refused, { code: "forbidden", hint: `Use ${own.origin}.` });
    }
    const isOpen = openPaths.has(context.req.path) || (context.req.method === "GET" && bundlePath.test(context.req.path));
    if (!isOpen && !isAdmin(context.req.header("authorization"), adminTokenSha256)) {
      throw new SpillwayError("a valid token is needed", {
        code: "unauthorized",
        hint: "Send Authorization: Bearer with the environment's admin token.",
      });
    }
    await next();
  };
}

/** `Example.org:7070` → `example.org`, `[::1]:7070` → `::1`. */
function hostName(header: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:@/\s]+))(?::\d{1,5})?$/i.exec(header ?? "");
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}
