/** The cloud of the tests with machines in the lab: a program of the real @pulumi/aws SDK makes a machine that boots, answers and goes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  DescribeInstancesCommand,
  EC2Client,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { getAmiOutput } from "@pulumi/aws/ec2/getAmi.js";
import { Instance } from "@pulumi/aws/ec2/instance.js";
import { InternetGateway } from "@pulumi/aws/ec2/internetGateway.js";
import { RouteTable } from "@pulumi/aws/ec2/routeTable.js";
import { RouteTableAssociation } from "@pulumi/aws/ec2/routeTableAssociation.js";
import { SecurityGroup } from "@pulumi/aws/ec2/securityGroup.js";
import { Subnet } from "@pulumi/aws/ec2/subnet.js";
import { Vpc } from "@pulumi/aws/ec2/vpc.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { endUnlessClaimed } from "../../bootstrap/commands/unclaimed.ts";
import { userData as providerUserData } from "../../providers/user-data.ts";
import { type Cloud, startCloud } from "../doubles/cloud.ts";
import { type CloudStack, cloudStack } from "../doubles/engine.ts";
import { startMoto } from "../support/moto.ts";
import { waitUntil } from "../support/wait-until.ts";
import { type CloudHost, labCloudHosts } from "./support/cloud-host.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { outputOf, runProgram } from "./support/run-program.ts";
import { sshAnswers, sshArgv } from "./support/ssh-client.ts";

const region = "eu-central-1";
let lab: Lab;
let cloud: Cloud<CloudHost>;
let client: EC2Client;
let stack: CloudStack;
let seedKey = "";
let names = ["one"];
const ids = new Map<string, string>();

/** Lets in the lab's key as `spillway`, and shows the seed's host key. */
function userData(privateKey: string, publicKey: string): string {
  return `#cloud-config\n${stringify({
    ssh_deletekeys: true,
    ssh_keys: { ecdsa_private: privateKey, ecdsa_public: publicKey },
    disable_root: true,
    ssh_pwauth: false,
    users: [
      {
        name: "spillway",
        shell: "/bin/bash",
        sudo: "ALL=(ALL) NOPASSWD:ALL",
        ssh_authorized_keys: [readFileSync(`${lab.keyFile}.pub`, "utf8").trim()],
      },
    ],
  })}`;
}

beforeAll(async () => {
  lab = await bootLab({ hosts: 0 });
  cloud = await startCloud(await startMoto(), await labCloudHosts(lab));
  client = new EC2Client({ region, endpoint: cloud.url, credentials: { accessKeyId: "test", secretAccessKey: "test" } });
  const seed = join(lab.directory, "seed");
  await outputOf(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-C", "", "-f", seed]);
  seedKey = readFileSync(`${seed}.pub`, "utf8").trim();
  const userDataBase64 = Buffer.from(userData(readFileSync(seed, "utf8"), seedKey)).toString("base64");
  const forgotten = providerUserData({
    user: "spillway",
    authorizedKeys: [readFileSync(`${lab.keyFile}.pub`, "utf8").trim()],
    hostKey: { privateKey: readFileSync(seed, "utf8"), publicKey: seedKey },
    unclaimed: { afterMs: 15_000, script: endUnlessClaimed(["systemctl", "poweroff"]) },
  });
  const program = async () => {
    const vpc = new Vpc("net", { cidrBlock: "10.20.0.0/16" });
    const subnet = new Subnet("net", {
      vpcId: vpc.id,
      cidrBlock: "10.20.1.0/24",
      availabilityZone: `${region}a`,
      mapPublicIpOnLaunch: true,
    });
    const gateway = new InternetGateway("net", { vpcId: vpc.id });
    const table = new RouteTable("net", { vpcId: vpc.id, routes: [{ cidrBlock: "0.0.0.0/0", gatewayId: gateway.id }] });
    void new RouteTableAssociation("net", { subnetId: subnet.id, routeTableId: table.id });
    const group = new SecurityGroup("net", {
      vpcId: vpc.id,
      ingress: [{ protocol: "tcp", fromPort: 22, toPort: 22, cidrBlocks: ["0.0.0.0/0"] }],
      egress: [{ protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: ["0.0.0.0/0"] }],
    });
    const owners = ["136693071363"];
    const image = getAmiOutput({ owners, mostRecent: true, filters: [{ name: "name", values: ["debian-12-amd64-*"] }] });
    return Object.fromEntries(
      names.map((name) => {
        const machine = new Instance(name, {
          ami: image.id,
          instanceType: "m7i.large",
          subnetId: subnet.id,
          vpcSecurityGroupIds: [group.id],
          instanceInitiatedShutdownBehavior: "terminate",
          instanceMarketOptions: { marketType: "spot" },
          metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
          userDataBase64: name === "forgotten" ? Buffer.from(forgotten).toString("base64") : userDataBase64,
          tags: { Name: name, "spillway:node": name },
        });
        return [name, machine.id];
      }),
    );
  };
  stack = await cloudStack({ program, environment: cloud.environment, region, under: lab.directory });
});
afterAll(async () => {
  client?.destroy();
  try {
    await cloud?.stop();
  } finally {
    stack?.remove();
    await lab?.close();
  }
});

async function up(...wanted: string[]): Promise<void> {
  names = wanted;
  const { outputs } = await stack.stack.up();
  for (const [name, output] of Object.entries(outputs)) ids.set(name, String(output.value));
}

async function describe(name: string) {
  const { Reservations } = await client.send(new DescribeInstancesCommand({ InstanceIds: [ids.get(name) ?? ""] }));
  const [instance] = Reservations?.[0]?.Instances ?? [];
  if (instance === undefined) throw new Error(`the cloud has no ${name}`);
  return instance;
}

function host(name: string): CloudHost {
  return cloud.hostOf(ids.get(name) ?? "");
}

async function overSsh(name: string, address: string, user: string, line: string) {
  const target = { name, address, sshPort: 22, hostPublicKey: seedKey, keyFile: lab.keyFile } as const;
  return await runProgram([...sshArgv(target, user), "--", line]);
}

const asks = `
import json, sys, urllib.request
method, path, headers = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
request = urllib.request.Request("http://169.254.169.254" + path, method=method, headers=headers)
try:
    with urllib.request.urlopen(request, timeout=5) as answer: print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error: print(error.code)
`;

/** How many hops the service's answer may still go when it arrives: what is left of it after this machine. */
const hops = `
import socket, threading
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
threading.Thread(target=lambda: socket.create_connection(("169.254.169.254", 80), 5), daemon=True).start()
while True:
    packet = wire.recv(65535)
    if packet[12:16] == socket.inet_aton("169.254.169.254"): break
print(packet[8])
`;

/** Status and body of an answer of the metadata service, asked inside. */
async function metadata(from: CloudHost, method: string, path: string, headers: Record<string, string> = {}): Promise<string> {
  return (await from.read(["python3", "-c", asks, method, path, JSON.stringify(headers)])).trim();
}

async function token(from: CloudHost): Promise<{ "x-aws-ec2-metadata-token": string }> {
  const answer = await metadata(from, "PUT", "/latest/api/token", { "x-aws-ec2-metadata-token-ttl-seconds": "60" });
  expect(answer).toMatch(/^200 \S+$/);
  return { "x-aws-ec2-metadata-token": answer.slice(4) };
}

test("a machine comes up with the host key and the user of its user data, and nobody else gets in", async () => {
  await up("one");
  const machine = await describe("one");
  expect(machine).toMatchObject({ State: { Name: "running" }, PrivateIpAddress: host("one").address, InstanceLifecycle: "spot" });
  const publicAddress = machine.PublicIpAddress ?? "";
  expect(publicAddress).not.toBe(host("one").address);
  await waitUntil("it answers", () => sshAnswers(publicAddress, 500), 60_000);
  await waitUntil("cloud-init has made the user", async () => (await overSsh("one", publicAddress, "spillway", "true")).code === 0, 60_000);
  expect(await overSsh("one", publicAddress, "spillway", "sudo -n id -un")).toMatchObject({ code: 0, stdout: "root\n" });
  expect((await overSsh("one", host("one").address, "root", "true")).code).not.toBe(0);
  expect(host("one").hostPublicKeys()).toHaveLength(1);
  expect((await host("one").exec(["cloud-init", "status", "--wait"])).stdout).toContain("status: done");
});

test("its metadata tell who it is, to itself, with a token and not without", async () => {
  const one = host("one");
  expect(await metadata(one, "GET", "/latest/meta-data/instance-id")).toBe("401");
  const headers = await token(one);
  expect(await metadata(one, "GET", "/latest/meta-data/instance-id", headers)).toBe(`200 ${ids.get("one")}`);
  expect(await metadata(one, "GET", "/latest/meta-data/placement/availability-zone", headers)).toBe(`200 ${region}a`);
  expect(await metadata(one, "GET", "/latest/meta-data/spot/instance-action", headers)).toBe("404");
  expect((await one.read(["python3", "-c", hops], { timeoutMs: 20_000 })).trim()).toBe("1");
  const document = await metadata(one, "GET", "/latest/dynamic/instance-identity/document", headers);
  expect(JSON.parse(document.slice(4))).toMatchObject({ instanceId: ids.get("one"), region, instanceType: "m7i.large" });
});

test("another machine comes and goes, ended past the engine; an address that is moved to it is dialled", async () => {
  await up("one", "two");
  const two = host("two");
  const { AllocationId, PublicIp = "" } = await client.send(new AllocateAddressCommand({ Domain: "vpc" }));
  await client.send(new AssociateAddressCommand({ AllocationId, InstanceId: ids.get("two") }));
  await waitUntil("it answers at the address", () => sshAnswers(PublicIp, 500), 60_000);
  await client.send(new TerminateInstancesCommand({ InstanceIds: [ids.get("two") ?? ""] }));
  await waitUntil("its machine is gone", () => cloud.instances().length === 1, 30_000);
  expect(two.isOn()).toBe(false);
  expect((await describe("two")).State?.Name).toBe("terminated");
  expect(await sshAnswers(PublicIp, 500)).toBe(false);
});

test("a machine that powers itself off is terminated, as its shutdown behaviour says", async () => {
  await up("one", "three");
  await waitUntil("it answers", () => sshAnswers(host("three").address, 500), 60_000);
  await host("three").exec(["systemctl", "--no-block", "poweroff"]);
  await waitUntil("it is terminated", async () => (await describe("three")).State?.Name === "terminated", 60_000);
});

test("a burst's machine that gets no agent ends itself, and was reached until then", async () => {
  await up("one", "forgotten");
  await waitUntil("it answers", () => sshAnswers(host("forgotten").address, 500), 60_000);
  await waitUntil("it is terminated", async () => (await describe("forgotten")).State?.Name === "terminated", 240_000);
});

test("a spot notice is read on the machine, and then the machine is taken away", async () => {
  const one = host("one");
  const headers = await token(one);
  cloud.rebalanceNotice(ids.get("one") ?? "");
  // Time enough to read it, on a busy computer too.
  cloud.spotNotice(ids.get("one") ?? "", 6);
  const notice = await metadata(one, "GET", "/latest/meta-data/spot/instance-action", headers);
  expect(JSON.parse(notice.slice(4))).toMatchObject({ action: "terminate", time: expect.stringMatching(/^20\d\d-.*Z$/) });
  expect(await metadata(one, "GET", "/latest/meta-data/events/recommendations/rebalance", headers)).toContain("noticeTime");
  await waitUntil("it is gone", () => cloud.instances().length === 0, 30_000);
});

test("a machine without a network runs for the cloud, and answers nobody", async () => {
  cloud.faults.bootWithoutNetwork();
  await up("four");
  expect((await describe("four")).State?.Name).toBe("running");
  expect(await sshAnswers(host("four").address, 1_000)).toBe(false);
});

test("destroy leaves no machine in the cloud and no host in the lab", async () => {
  await stack.stack.destroy();
  expect(await stack.exported()).toEqual([]);
  const { Reservations = [] } = await client.send(
    new DescribeInstancesCommand({
      Filters: [{ Name: "instance-state-name", Values: ["pending", "running", "shutting-down", "stopping", "stopped"] }],
    }),
  );
  expect(Reservations.flatMap(({ Instances = [] }) => Instances)).toEqual([]);
  expect(cloud.instances()).toEqual([]);
  expect(lab.leftovers()).toMatchObject({ processes: [], mounts: [], controlGroups: [] });
});
