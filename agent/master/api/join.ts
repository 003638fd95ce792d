/** How agents get certificates: by a join token, then by the certificate they have. No admin token here. */
import type { TLSSocket } from "node:tls";
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { instanceTokenRequest, joinProblem, joinReply, joinRequest, joinTokenReply, joinTokenState } from "../../contract/api.ts";
import { issueInstanceToken, noteJoinProblem, tokenStateOf } from "../auth/instance-token.ts";
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

const instanceTokenRoute = createRoute({
  method: "post",
  path: "/v1/join-tokens",
  operationId: "makeInstanceToken",
  tags: ["nodes"],
  summary: "Make a join token for a machine that is still to be made",
  description: "It lies in the machine's user data, so it is spent only with the proof of the instance that the node is declared as.",
  request: { body: jsonBody(instanceTokenRequest) },
  responses: answers(joinTokenReply, "a single-use token; earlier ones of that node end"),
});
const tokenStateRoute = createRoute({
  method: "get",
  path: "/v1/join-tokens/{node}",
  operationId: "joinTokenState",
  tags: ["nodes"],
  summary: "What became of a node's join token",
  request: { params: z.object({ node: z.string().describe("the node's name, which is its machine's") }) },
  responses: answers(joinTokenState, "whether it was used, and what its machine says"),
});
const problemRoute = createRoute({
  method: "post",
  path: "/v1/join-problem",
  operationId: "reportJoinProblem",
  tags: ["agents"],
  summary: "Say why a machine can't take the agent",
  description: "For machines that join by themselves. The join token is the credential, and is not spent.",
  security: [],
  request: { body: jsonBody(joinProblem) },
  responses: answers(z.object({}), "it was noted"),
});

export function joinRoutes(api: Api, { leader, issuer, rootCa }: ApiContext): void {
  api.openapi(instanceTokenRoute, async (context) =>
    context.json(await issueInstanceToken(leader(), context.req.valid("json"), rootCa), 200),
  );
  api.openapi(tokenStateRoute, (context) => context.json(tokenStateOf(leader(), context.req.valid("param").node), 200));
  api.openapi(problemRoute, async (context) => {
    await noteJoinProblem(leader(), context.req.valid("json"));
    return context.json({}, 200);
  });
  api.openapi(joinRoute, async (context) => context.json(await join(leader(), issuer(), context.req.valid("json")), 200));
  api.openapi(renewRoute, async (context) => {
    const peer = peerOf(context.env.incoming.socket as TLSSocket);
    return context.json(await renew(leader(), issuer(), peer, context.req.valid("json").csr), 200);
  });
}
