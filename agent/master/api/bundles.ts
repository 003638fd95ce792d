/** Bundles for machines that fetch their own: given by whoever administers the pool, handed out by digest. Nothing in them is secret. */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { TLSSocket } from "node:tls";
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { bundleDigest, bundlePiece, bundleState } from "../../contract/api.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { isAdmin } from "../auth/admin-token.ts";
import { certifiedNode } from "../auth/join.ts";
import { peerOf } from "../auth/peer.ts";
import { livingToken } from "../auth/token.ts";
import { type BundleStore, bundleStore } from "../bundle-store.ts";
import type { Leader } from "../leader.ts";
import type { Api, ApiContext } from "./context.ts";
import { answers, jsonBody } from "./route.ts";

const params = z.object({ digest: bundleDigest.describe("the bundle's digest: it names its contents") });
/** A burst may bring as many machines at once; one that is turned away asks again. */
const mostAtOnce = 64;

const putRoute = createRoute({
  method: "put",
  path: "/v1/bundles/{digest}",
  operationId: "putBundlePiece",
  tags: ["agents"],
  summary: "Give the master a piece of a bundle",
  description: "Pieces come in order. An empty one only asks what is there.",
  request: { params, body: jsonBody(bundlePiece) },
  responses: answers(bundleState, "how much of it is there"),
});
const getRoute = createRoute({
  method: "get",
  path: "/v1/bundles/{digest}",
  operationId: "getBundle",
  tags: ["agents"],
  summary: "Fetch a bundle",
  description:
    "For machines. The credential is a join token that has not ended (as a bearer token), a node's client certificate, or the admin token. `Range: bytes=<from>-` goes on with a transfer that broke.",
  security: [],
  request: { params },
  responses: {
    200: { description: "the tarball (gzip)", content: { "application/gzip": { schema: z.string().openapi({ format: "binary" }) } } },
    206: { description: "its rest", content: { "application/gzip": { schema: z.string().openapi({ format: "binary" }) } } },
    default: answers(bundleState, "").default,
  },
});

export function bundleRoutes(api: Api, { leader }: ApiContext): void {
  let store: BundleStore | undefined;
  const bundles = (): BundleStore => (store ??= bundleStore(join(leader().config.stateDir, "bundles")));
  let sending = 0;

  api.openapi(putRoute, async (context) => {
    const { data, ...piece } = context.req.valid("json");
    return context.json(await bundles().put(context.req.valid("param").digest, { ...piece, data: Buffer.from(data, "base64") }), 200);
  });
  api.openapi(getRoute, async (context) => {
    assertMayFetch(leader(), context.req.header("authorization"), context.env.incoming.socket as TLSSocket);
    const { digest } = context.req.valid("param");
    const found = await bundles().find(digest);
    if (found === undefined) {
      throw new SpillwayError(`the master has no bundle ${digest.slice(0, 12)}`, {
        code: "not-found",
        hint: "`./spillway up <environment>` gives it those that machines are to fetch.",
      });
    }
    const from = offsetOf(context.req.header("range"), found.bytes);
    if (sending >= mostAtOnce)
      throw new SpillwayError("too many machines fetch bundles just now", { code: "too-many-streams", hint: "Ask again in a moment." });
    sending += 1;
    const file = createReadStream(found.path, { start: from, highWaterMark: 256 * 1024 });
    file.once("close", () => {
      sending -= 1;
    });
    const headers = {
      "content-type": "application/gzip",
      "content-length": String(found.bytes - from),
      "accept-ranges": "bytes",
      ...(from === 0 ? {} : { "content-range": `bytes ${from}-${found.bytes - 1}/${found.bytes}` }),
    };
    return context.body(Readable.toWeb(file) as ReadableStream<Uint8Array>, from === 0 ? 200 : 206, headers);
  });
}

/** Throws `unauthorized`: what is large is not for everybody. */
function assertMayFetch(leader: Leader, authorization: string | undefined, socket: TLSSocket): void {
  if (isAdmin(authorization, leader.config.adminTokenSha256)) return;
  const token = /^Bearer (\S{1,255})$/i.exec(authorization ?? "")?.[1];
  if (token !== undefined && livingToken(leader, token) !== undefined) return;
  const peer = peerOf(socket);
  if (peer !== undefined) {
    certifiedNode(leader, peer);
    return;
  }
  throw new SpillwayError("a join token that has not ended, or a node's certificate, is needed", {
    code: "unauthorized",
    hint: "Send Authorization: Bearer with the join token of the machine.",
  });
}

/** 0 without a range. One that is not of the form `bytes=<from>-` is not heeded, as HTTP allows (RFC 9110, 14.2). */
function offsetOf(range: string | undefined, bytes: number): number {
  const from = /^bytes=(\d{1,15})-$/.exec(range ?? "")?.[1];
  if (from === undefined) return 0;
  if (Number(from) < bytes) return Number(from);
  throw new SpillwayError(`the range begins at ${from}, and the bundle has ${bytes} bytes`, {
    code: "bad-range",
    hint: "Fetch it from its beginning.",
  });
}
