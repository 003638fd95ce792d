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

const params = z.object({ name: z.string() });
const nodeRemoval = z.object({ removed: z.boolean() });
const listRoute = createRoute({ method: "get", path: "/v1/nodes", responses: answers(nodeList, "all nodes, by name") });
const getRoute = createRoute({
  method: "get",
  path: "/v1/nodes/{name}",
  request: { params },
  responses: answers(nodeViewSchema, "the node"),
});
const putRoute = createRoute({
  method: "put",
  path: "/v1/nodes/{name}",
  request: { params, body: jsonBody(nodeDeclaration) },
  responses: answers(nodeViewSchema, "the node, declared or updated"),
});
const tokenRoute = createRoute({
  method: "post",
  path: "/v1/nodes/{name}/join-token",
  request: { params },
  responses: answers(joinTokenReply, "a single-use token that lets this node's agent join"),
});
const deleteRoute = createRoute({
  method: "delete",
  path: "/v1/nodes/{name}",
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
