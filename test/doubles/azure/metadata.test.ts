/** Azure's instance metadata as its documentation describes them, and what a machine may do by its identity. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AttestedDataSigner, attestedDataSigner } from "./attested-data.ts";
import { type AzureMetadata, azureMetadata, type MetadataMachine } from "./metadata.ts";
import { ArmResources } from "./resources.ts";
import { checkAllowed } from "./roles.ts";

const subscription = "/subscriptions/s";
const group = `${subscription}/resourceGroups/g`;
const id = `${group}/providers/Microsoft.Compute/virtualMachines/a`;
const source = "10.0.0.5";
const resources = new ArmResources();
let signer: AttestedDataSigner;
let service: AzureMetadata;
let identity: { principalId: string } | undefined;

beforeAll(async () => {
  signer = await attestedDataSigner();
  resources.put({ id: group, location: "westeurope" });
  resources.put({
    id,
    location: "westeurope",
    zones: ["2"],
    tags: { Name: "a" },
    properties: { priority: "Spot", hardwareProfile: { vmSize: "Standard_D2s_v5" } },
  });
  const machine = (): MetadataMachine => ({
    vmId: "v",
    description: { ...resources.get(id), ...(identity === undefined ? {} : { identity }) },
    host: { address: source },
    publicAddress: undefined,
  });
  service = azureMetadata({ machines: () => [machine()], signer, others: async () => ({ status: 200, body: "passed on" }) });
});
afterAll(() => signer?.close());

async function ask(path: string, headers: Record<string, string> = { metadata: "true" }, from = source) {
  return await service.handle({ source: from, method: "GET", path, headers });
}

test("nothing is told without the header, through a proxy, without a version, or to a stranger", async () => {
  const path = "/metadata/instance?api-version=2021-02-01";
  const told = [
    await ask(path, {}),
    await ask(path, { metadata: "true", "x-forwarded-for": "192.0.2.1" }),
    await ask("/metadata/instance"),
    await ask(path, { metadata: "true" }, "10.0.0.6"),
    await ask(path),
  ];
  expect(told.map(({ status }) => status)).toEqual([400, 400, 400, 404, 200]);
});

test("a leaf is told as text, and only as text", async () => {
  const name = "/metadata/instance/compute/name?api-version=2021-02-01";
  expect(await ask(`${name}&format=text`)).toMatchObject({ status: 200, body: "a" });
  expect((await ask(name)).status).toBe(400);
  expect((await ask("/metadata/instance/compute/nothing?api-version=2021-02-01&format=text")).status).toBe(404);
  const compute = JSON.parse((await ask("/metadata/instance/compute?api-version=2021-02-01")).body) as object;
  expect(compute).toMatchObject({ vmId: "v", vmSize: "Standard_D2s_v5", zone: "2", priority: "Spot", tags: "Name:a", resourceId: id });
});

test("a notice is there from the moment it is given, with the time as an HTTP date", async () => {
  const path = "/metadata/scheduledevents?api-version=2020-07-01";
  expect(JSON.parse((await ask(path)).body)).toEqual({ DocumentIncarnation: 1, Events: [] });
  service.announcePreempt("v", Date.UTC(2026, 10, 22, 8, 0, 30));
  expect(JSON.parse((await ask(path)).body)).toMatchObject({
    Events: [{ EventType: "Preempt", EventStatus: "Scheduled", Resources: ["a"], NotBefore: "Sun, 22 Nov 2026 08:00:30 GMT" }],
  });
});

test("a nonce has 32 characters at most", async () => {
  const path = "/metadata/attested/document?api-version=2020-09-01&nonce=";
  expect((await ask(path + "a".repeat(33))).status).toBe(400);
  const { signature } = JSON.parse((await ask(path + "a".repeat(32))).body) as { signature: string };
  expect(Buffer.from(signature, "base64").includes("a".repeat(32))).toBe(true);
});

test("a machine has a token when it has an identity, for Azure's management and nothing else", async () => {
  const path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=";
  expect((await ask(`${path}https%3A%2F%2Fmanagement.azure.com%2F`)).status).toBe(400);
  identity = { principalId: "p" };
  expect((await ask(`${path}https%3A%2F%2Fvault.azure.net`)).status).toBe(400);
  const { access_token: token } = JSON.parse((await ask(`${path}https%3A%2F%2Fmanagement.azure.com%2F`)).body) as { access_token: string };
  expect(service.principalOf(token)).toBe("p");
  expect(service.principalOf("another")).toBeUndefined();
});

test("a principal may do what its role says, where it was given and below, and nothing else", () => {
  const role = `${subscription}/providers/Microsoft.Authorization/roleDefinitions/r`;
  const actions = ["Microsoft.Resources/subscriptions/resourceGroups/delete", "Microsoft.Compute/*/read"];
  resources.put({ id: role, location: "", properties: { permissions: [{ actions }] } });
  const assigned = `${group}/providers/Microsoft.Authorization/roleAssignments/x`;
  resources.put({ id: assigned, location: "", properties: { principalId: "p", roleDefinitionId: role } });
  const may = (principal: string, method: string, path: string) => {
    try {
      checkAllowed(resources, principal, method, path);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ status: 403, code: "AuthorizationFailed" });
      return false;
    }
  };
  expect(may("p", "DELETE", group)).toBe(true);
  expect(may("p", "GET", id)).toBe(true);
  expect(may("p", "GET", `${group}/providers/Microsoft.Compute/virtualMachines`)).toBe(true);
  expect(may("p", "DELETE", id)).toBe(false);
  expect(may("p", "DELETE", `${subscription}/resourceGroups/g2`)).toBe(false);
  expect(may("q", "DELETE", group)).toBe(false);
});
