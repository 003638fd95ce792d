/** The API's description: docs/openapi.json is what the code serves, says enough to be used, and covers the client, as the client covers it. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Client, createClient } from "../../agent/contract/client.ts";
import { aPolicy } from "../../agent/master/burst/testing/builders.ts";
import { type FakeRequest, sendError, startFakeMaster } from "../../cli/testing/fake-master.ts";
import { currentDocument, documentFile } from "../../tools/openapi.ts";

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
}
interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: unknown;
  readonly responses: Record<string, { readonly description: string; readonly content: Record<string, { readonly schema: unknown }> }>;
}
interface Document {
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, unknown>; readonly securitySchemes: Record<string, unknown> };
}

const document = currentDocument() as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, ...operation })),
);

test("docs/openapi.json is what the code serves", () => {
  const checkedIn: unknown = JSON.parse(readFileSync(documentFile, "utf8"));
  expect(checkedIn, "the API has changed: `npm run openapi` renews docs/openapi.json").toEqual(document);
});

/** They say nothing secret, or ask for a credential of their own. */
const withoutAdminToken = ["GET /v1/health", "POST /v1/join", "POST /v1/join-problem", "POST /v1/renew", "GET /v1/bundles/{digest}"];

test.each(operations)("$name is described", ({ name, path, operationId, summary, tags, parameters = [], responses, security }) => {
  expect(operationId).toMatch(/^[a-z][A-Za-z]+$/);
  expect(summary).toMatch(/^[A-Z].*[^.]$/);
  expect(document.tags.map((tag) => tag.name)).toContain(tags?.[0]);
  const inPath = parameters.filter((parameter) => parameter.in === "path").map((parameter) => parameter.name);
  expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, word]) => word));
  for (const parameter of parameters) expect(parameter.description, parameter.name).toBeDefined();
  expect(responses.default?.content["application/json"]?.schema).toEqual({ $ref: "#/components/schemas/Error" });
  for (const [status, { description }] of Object.entries(responses)) expect(description, status).not.toBe("");
  expect(security).toEqual(withoutAdminToken.includes(name) ? [] : undefined);
});

test("each operation has a name of its own, and every reference leads somewhere", () => {
  const names = operations.map(({ operationId }) => operationId);
  expect(new Set(names).size).toBe(names.length);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference);
  for (const reference of references) {
    expect(Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`)).toContain(reference);
  }
});

/** Calls every method of the client once, with everything it can send; typed so that a new method must be added. */
const calls: Record<Exclude<keyof Client, "dispose">, (client: Client) => unknown> = {
  health: (client) => client.health(),
  pool: (client) => client.pool(),
  nodes: (client) => client.nodes(),
  node: (client) => client.node("x"),
  declareNode: (client) => client.declareNode("x", { pool: "rack", provider: "local", providerId: "p" }),
  makeJoinToken: (client) => client.makeJoinToken("x"),
  makeInstanceToken: (client) => client.makeInstanceToken({ node: "x", lifeMs: 60_000 }),
  joinTokenState: (client) => client.joinTokenState("x"),
  putBundlePiece: (client) => client.putBundlePiece("x", { bytes: 1, sha256: "x", offset: 0, data: "" }),
  removeNode: (client) => client.removeNode("x"),
  join: (client) => client.join({ node: "x", token: "t", csr: "c" }),
  submitJob: (client) => client.submitJob({ command: ["true"], resources: { cpu: 1, memory: 1 } }),
  jobs: (client) => client.jobs("pending"),
  job: (client) => client.job("x"),
  attempts: (client) => client.attempts(),
  cancelJob: (client) => client.cancelJob("x"),
  logs: (client) => client.logs("x", { index: 1, attempt: 1, follow: true }).next(),
  events: (client) => client.events({ after: 1, subject: "node/x", limit: 1 }),
  followEvents: (client) => client.followEvents({ after: 1, subject: "node/x", limit: 1 }).next(),
  explain: (client) => client.explain("node/x"),
  close: (client) => client.close({ reason: "test" }),
  open: (client) => client.open(),
  closing: (client) => client.closing(),
  ledger: (client) => client.ledger().next(),
  cordonNode: (client) => client.cordonNode("x", { reason: "test" }),
  uncordonNode: (client) => client.uncordonNode("x"),
  drainNode: (client) => client.drainNode("x", { deadlineMs: 1 }),
  bursts: (client) => client.bursts({ all: true }),
  burst: (client) => client.burst("x"),
  burstPlan: (client) => client.burstPlan(),
  setBurstPolicy: (client) => client.setBurstPolicy(aPolicy()),
  removeBurstPolicy: (client) => client.removeBurstPolicy(),
  pauseBursts: (client) => client.pauseBursts({ reason: "test" }),
  resumeBursts: (client) => client.resumeBursts(),
  stopBurst: (client) => client.stopBurst("x", { now: true }),
  reportBurster: (client) => client.reportBurster({ holder: "h", host: "h", pid: 1, version: "0", offers: [] }),
  burstWork: (client) => client.burstWork({ after: 1, waitMs: 1 }),
  reportBurst: (client) => client.reportBurst("x", { holder: "h", event: { type: "launch" } }),
  tellBurst: (client) => client.tellBurst({ holder: "h", kind: "burst-x", message: "m" }),
};

/**
 * Agents call it with their certificate (agent/node/renew.ts), which the client has not; machines that join by themselves with
 * their token (bootstrap/cloud-join).
 */
const withoutClient = ["POST /v1/renew", "POST /v1/join-problem", "GET /v1/bundles/{digest}"];

test("the client reaches every route of the document, and calls none that is not there", async () => {
  const master = await startFakeMaster((_, response) => sendError(response, 404, "not-found", "nothing here"));
  const client = createClient({ url: master.url, ca: master.ca, token: "t" });
  try {
    for (const call of Object.values(calls)) await expect(Promise.resolve(call(client))).rejects.toMatchObject({ code: "not-found" });
    expect(master.requests).toHaveLength(Object.keys(calls).length);
    const reached = master.requests.map((request) => {
      const operation = operationOf(request);
      expect(operation, `${request.method} ${request.path} is in the document`).toBeDefined();
      const known = operation?.parameters?.filter((parameter) => parameter.in === "query").map(({ name }) => name) ?? [];
      for (const name of request.query.keys()) expect(known, `${operation?.name}: the query ${name}`).toContain(name);
      expect(request.body !== undefined, `${operation?.name}: whether there is a body`).toBe(operation?.requestBody !== undefined);
      return operation?.name;
    });
    expect(new Set([...reached, ...withoutClient])).toEqual(new Set(operations.map(({ name }) => name)));
  } finally {
    client.dispose();
    await master.stop();
  }
});

function operationOf({ method, path }: FakeRequest) {
  const isLike = (template: string) => new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path);
  return operations.find((operation) => operation.name.startsWith(`${method} `) && isLike(operation.path));
}
