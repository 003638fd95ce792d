/** Nodes: declared, looked at, given a join token, removed. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { joinTokenReply, nodeList } from "../../contract/api.ts";
import { cordonRequest, drainRequest } from "../../contract/burst-api.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { nodeDeclaration, nodeView as nodeViewSchema } from "../../contract/node.ts";
import { issueJoinToken } from "../auth/join.ts";
import type { Leader } from "../leader.ts";
import { cordonNode, drainNode, uncordonNode } from "../lifecycle/cordon.ts";
import { burstOf } from "../lifecycle/cordon-state.ts";
import { declareNode, removeNode } from "../lifecycle/nodes.ts";
import type { PoolNode } from "../pool/pool.ts";
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
const cordonRoute = createRoute({
  method: "post",
  path: "/v1/nodes/{name}/cordon",
  operationId: "cordonNode",
  tags: ["nodes"],
  summary: "Give a node no new task",
  description: "It keeps what it has. A drain that is under way goes on.",
  request: { params, body: jsonBody(cordonRequest) },
  responses: answers(nodeViewSchema, "the node, cordoned"),
});
const uncordonRoute = createRoute({
  method: "post",
  path: "/v1/nodes/{name}/uncordon",
  operationId: "uncordonNode",
  tags: ["nodes"],
  summary: "Give a node tasks again",
  description: "Also ends a drain; on a node of a burst, that of the burst.",
  request: { params },
  responses: answers(nodeViewSchema, "the node, open"),
});
const drainRoute = createRoute({
  method: "post",
  path: "/v1/nodes/{name}/drain",
  operationId: "drainNode",
  tags: ["nodes"],
  summary: "Empty a node",
  description:
    "It gets no new task; what still runs at the deadline is stopped and tried again elsewhere. A node of a burst goes with its burst, which is given back when it is drained.",
  request: { params, body: jsonBody(drainRequest) },
  responses: answers(nodeViewSchema, "the node, draining"),
});

export function nodeRoutes(api: Api, { leader, rootCa }: ApiContext): void {
  api.openapi(listRoute, (context) => {
    const nodes = [...leader().pool.nodes.values()].map((node) => viewOf(leader(), node));
    return context.json({ nodes: nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1)) }, 200);
  });
  api.openapi(getRoute, (context) => {
    const { name } = context.req.valid("param");
    const node = leader().pool.nodes.get(name);
    if (node === undefined) throw new SpillwayError(`there is no node "${name}"`, { code: "not-found", hint: "See: spillway nodes list" });
    return context.json(viewOf(leader(), node), 200);
  });
  api.openapi(putRoute, async (context) => {
    const node = await declareNode(leader(), context.req.valid("param").name, context.req.valid("json"));
    return context.json(viewOf(leader(), node), 200);
  });
  api.openapi(tokenRoute, async (context) => context.json(await issueJoinToken(leader(), context.req.valid("param").name, rootCa), 200));
  api.openapi(deleteRoute, async (context) => context.json({ removed: await removeNode(leader(), context.req.valid("param").name) }, 200));
  api.openapi(cordonRoute, async (context) => {
    const node = await cordonNode(leader(), context.req.valid("param").name, context.req.valid("json"));
    return context.json(viewOf(leader(), node), 200);
  });
  api.openapi(uncordonRoute, async (context) => {
    const node = await uncordonNode(leader(), context.req.valid("param").name);
    return context.json(viewOf(leader(), node), 200);
  });
  api.openapi(drainRoute, async (context) => {
    const node = await drainNode(leader(), context.req.valid("param").name, context.req.valid("json"));
    return context.json(viewOf(leader(), node), 200);
  });
}

function viewOf({ pool }: Leader, node: PoolNode) {
  return nodeView(node, burstOf(pool, node));
}
