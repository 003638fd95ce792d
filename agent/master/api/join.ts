/** How agents get certificates: by a join token, then by the certificate they have. No admin token here. */
import type { TLSSocket } from "node:tls";
import { createRoute } from "@hono/zod-openapi";
import { joinReply, joinRequest } from "../../contract/api.ts";
import { join, renew } from "../auth/join.ts";
import { peerOf } from "../auth/peer.ts";
import type { Api, ApiContext } from "./context.ts";
import { answers, jsonBody } from "./route.ts";

const joinRoute = createRoute({
  method: "post",
  path: "/v1/join",
  operationId: "joinNode",
  tags: ["agents"],
  summary: "Get a node's first certificate",
  description: "For agents. The single-use join token is the credential.",
  security: [],
  request: { body: jsonBody(joinRequest) },
  responses: answers(joinReply, "the node's certificate; the same token and key are answered again while the token lives"),
});
const renewRoute = createRoute({
  method: "post",
  path: "/v1/renew",
  operationId: "renewCertificate",
  tags: ["agents"],
  summary: "Get a new certificate",
  description: "For agents. The present client certificate of the TLS connection is the credential.",
  security: [],
  request: { body: jsonBody(joinRequest.pick({ csr: true })) },
  responses: answers(joinReply, "a new certificate for the node whose client certificate was shown"),
});

export function joinRoutes(api: Api, { leader, issuer }: ApiContext): void {
  api.openapi(joinRoute, async (context) => context.json(await join(leader(), issuer(), context.req.valid("json")), 200));
  api.openapi(renewRoute, async (context) => {
    const peer = peerOf(context.env.incoming.socket as TLSSocket);
    return context.json(await renew(leader(), issuer(), peer, context.req.valid("json").csr), 200);
  });
}
