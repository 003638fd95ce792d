/** Nodes: declared, looked at, given a join token, removed. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { joinTokenReply, nodeList } from "../../contract/api.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { nodeDeclaration, nodeView as nodeViewSchema } from "../../contract/node.ts";
import { issueJoinToken } from "../auth/join.ts";
import { declareNode, removeNode } from "../lifecycle/nodes.ts";
import { nodeView } from "../pool/views.ts";
import type { Api, ApiContext } from "./context.ts";
import { answers, jsonBody } from "./route.ts";

const params = z.object({ name: z.string().describe("the node's name, which is its machine's") });
const nodeRemoval = z.object({ removed: z.boolean().describe("false when there was no such node") });
const listRoute = createRoute({
  method: "get",
  path: "/v1/nodes",
  operationId: "listNodes",
  tags: ["nodes"],
  summary: "The nodes",
  responses: answers(nodeList, "all nodes, by name"),
});
const getRoute = createRoute({
  method: "get",
  path: "/v1/nodes/{name}",
  operationId: "getNode",
  tags: ["nodes"],
  summary: "One node",
  request: { params },
  responses: answers(nodeViewSchema, "the node"),
});
const putRoute = createRoute({
  method: "put",
  path: "/v1/nodes/{name}",
  operationId: "declareNode",
  tags: ["nodes"],
  summary: "Declare a node, or change its declaration",
  description: "What the operator's side says about it. Declared again as it is, nothing changes.",
  request: { params, body: jsonBody(nodeDeclaration) },
  responses: answers(nodeViewSchema, "the node, declared or updated"),
});
const tokenRoute = createRoute({
  method: "post",
  path: "/v1/nodes/{name}/join-token",
  operationId: "makeJoinToken",
  tags: ["nodes"],
  summary: "Make a join token",
  description: "For a node that is declared. The token is a secret, works once, and not for long.",
  request: { params },
  responses: answers(joinTokenReply, "a single-use token that lets this node's agent join"),
});
const deleteRoute = createRoute({
  method: "delete",
  path: "/v1/nodes/{name}",
  operationId: "removeNode",
  tags: ["nodes"],
  summary: "Remove a node from the pool",
  description: "Its tasks are tried again elsewhere, and its agent is told to stop them and leave. The machine itself stays.",
  request: { params },
  responses: answers(nodeRemoval, "whether there was such a node"),
});

export function nodeRoutes(api: Api, { leader, rootCa }: ApiContext): void {
  api.openapi(listRoute, (context) => {
    const nodes = [...leader().pool.nodes.values()].map(nodeView);
    return context.json({ nodes: nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1)) }, 200);
  });
  api.openapi(getRoute, (context) => {
    const { name } = context.req.valid("param");
    const node = leader().pool.nodes.get(name);
    if (node === undefined) throw new SpillwayError(`there is no node "${name}"`, { code: "not-found", hint: "See: spillway nodes list" });
    return context.json(nodeView(node), 200);
  });
  api.openapi(putRoute, async (context) => {
    const node = await declareNode(leader(), context.req.valid("param").name, context.req.valid("json"));
    return context.json(nodeView(node), 200);
  });
  api.openapi(tokenRoute, async (context) => context.json(await issueJoinToken(leader(), context.req.valid("param").name, rootCa), 200));
  api.openapi(deleteRoute, async (context) => context.json({ removed: await removeNode(leader(), context.req.valid("param").name) }, 200));
}
