/** Machines of a cloud that nobody connects to, and a master that they can't dial: each becomes a node all the same. */
import { EC2 } from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import { installLayout } from "../../agent/contract/install-layout.ts";
import { waitUntil } from "../support/wait-until.ts";
import type { CloudHost } from "./support/cloud-host.ts";
import { tagOf } from "./support/cloud-inventory.ts";
import { type CloudRack, cloudRack, region } from "./support/cloud-rack.ts";
import { nodeStates, rackClient } from "./support/rack.ts";

const environment = "rack";
let rack: CloudRack;
let client: Client;

beforeAll(async () => {
  rack = await cloudRack(environment);
});
afterAll(async () => {
  client?.dispose();
  await rack?.close();
});

/** The machine of a node. */
function hostOf(node: string): CloudHost {
  const machine = rack.cloud.instances().find(({ description }) => tagOf(description.Tags, "spillway:node") === node);
  if (machine === undefined) throw new Error(`the cloud has no machine of ${node}`);
  return machine.host;
}

/** On that machine: asks the master for an identity as self-1, with a key of its own. Resolves with what it said and its exit code. */
async function joinAsFirst(from: CloudHost, token: string, directory: string) {
  const layout = installLayout("");
  const config = JSON.parse(await from.read(["cat", layout.config("agent")])) as object;
  const other = JSON.stringify({ ...config, node: "self-1", stateDir: directory });
  await from.read(["sh", "-c", `mkdir -p "$1" && printf %s "$2" > "$1/agent.json"`, "sh", directory, other]);
  const current = layout.current("agent");
  const join = `printf '%s\\n' "$1" | "$2/bin/node" "$2/agent.js" join --force --config "$3/agent.json"`;
  return await from.exec(["sh", "-c", join, "sh", token, current, directory]);
}

const pool = (over: object) => ({ provider: "aws", region, instanceType: "m7i.large", zones: [`${region}a`], ...rack.access, ...over });

it("takes machines into the pool to which nobody ever connects", async () => {
  const { key: _key, authorizedKeys: _keys, sshFrom: _from, ...self } = pool({ join: "cloud-init", count: 2 }) as Record<string, unknown>;
  rack.write({ pools: { self }, identityAuthorities: rack.cloud.identityAuthorities });
  await rack.ok(["up", environment, "--yes"]);
  client = rackClient(rack.checkout);
  expect(await nodeStates(client)).toEqual({ own: "ready", "self-1": "ready", "self-2": "ready" });
  expect(await rack.ok(["run", "--cpu", "0.1", "--memory", "32Mi", "--node-pool", "self", "--", "hostname"])).not.toBe("");
});

it("lets nobody in on such a machine, and changes nothing when it is brought up again", async () => {
  const [machine] = rack.cloud.instances();
  const users = await machine?.host.read(["sh", "-c", "ls /home /root/.ssh/authorized_keys 2>&1 || true"]);
  expect(users).not.toContain("spillway\n");
  expect(await rack.ok(["up", environment, "--yes"])).toContain("Nothing changed.");
});

it("refuses a token that another instance sends, and one that is used twice", async () => {
  const { token } = await client.makeInstanceToken({ node: "self-1", lifeMs: 600_000 });
  const stolen = await joinAsFirst(hostOf("self-2"), token, "/var/tmp/stolen");
  expect(stolen.code).not.toBe(0);
  expect(stolen.stderr).toMatch(/the token of node self-1 was sent by the aws instance i-/);
  expect(await joinAsFirst(hostOf("self-1"), token, "/var/tmp/own")).toMatchObject({ code: 0 });
  const again = await joinAsFirst(hostOf("self-1"), token, "/var/tmp/again");
  expect(again.code).not.toBe(0);
  expect(again.stderr).toContain("used already");
  const refusals = (await client.events({ subject: "node/self-1" })).events.filter(({ kind }) => kind === "node-join-refused");
  expect(refusals).toHaveLength(2);
});

it("replaces one that its cloud has taken away", async () => {
  const machine = rack.cloud.instances().find(({ description }) => tagOf(description.Tags, "spillway:node") === "self-1");
  const { AWS_ENDPOINT_URL: endpoint = "" } = rack.cloud.environment;
  const ec2 = new EC2({ region, endpoint, credentials: { accessKeyId: "double", secretAccessKey: "double" } });
  await ec2.terminateInstances({ InstanceIds: [machine?.id ?? ""] });
  ec2.destroy();
  await waitUntil("it is gone", () => rack.cloud.instances().length === 1, 30_000);
  await rack.ok(["up", environment, "--yes"]);
  await waitUntil("it is ready again", async () => (await nodeStates(client))["self-1"] === "ready", 30_000);
});

it("leaves nothing in the cloud when it is destroyed", async () => {
  await rack.ok(["destroy", environment, "--yes"]);
  expect(rack.cloud.instances()).toEqual([]);
});
