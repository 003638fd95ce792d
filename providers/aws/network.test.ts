import * as pulumi from "@pulumi/pulumi";
import { beforeEach, expect, it } from "vitest";
import type { CloudNetworkSpec } from "../cloud-machine.ts";
import { makeAwsNetwork } from "./network.ts";
import { letIn, subnetBlock, vpcBlock } from "./network-plan.ts";

type Registered = pulumi.runtime.MockResourceArgs;
let made: Registered[] = [];
let askedZones: unknown;

beforeEach(async () => {
  made = [];
  askedZones = undefined;
  await pulumi.runtime.setMocks({
    newResource: (args) => {
      made.push(args);
      return { id: `${args.type.split(":").at(-1)}/${args.name}`, state: args.inputs };
    },
    call: ({ token, inputs }) => {
      if (token !== "aws:index/getAvailabilityZones:getAvailabilityZones") throw new Error(`unexpected invoke ${token}`);
      askedZones = inputs;
      return { names: ["eu-central-1c", "eu-central-1-ham-1a", "eu-central-1a", "eu-central-1d", "eu-central-1b"] };
    },
  });
});

const spec = (over: Partial<CloudNetworkSpec> = {}): CloudNetworkSpec => ({
  environment: "prod",
  environmentId: "e-1",
  region: "eu-central-1",
  zones: ["eu-central-1b"],
  sshFrom: ["198.51.100.7/32"],
  masterPort: 7070,
  masterFrom: ["0.0.0.0/0", "2001:db8::/32"],
  ...over,
});
const valueOf = <T>(output: pulumi.Output<T>) => new Promise<T>((resolve) => void output.apply(resolve));
const ofType = (type: string) => made.filter((one) => one.type === type).map(({ inputs }) => inputs as Record<string, unknown>);

it("makes a network whose machines are reached by SSH from where it was said only", async () => {
  const network = makeAwsNetwork("net", spec(), {});
  expect(await valueOf(network.securityGroupIds)).toEqual(["SecurityGroup/net"]);
  await valueOf(network.subnets);
  expect(ofType("aws:ec2/securityGroup:SecurityGroup")).toMatchObject([
    {
      vpcId: "Vpc/net",
      ingress: [
        { protocol: "tcp", fromPort: 22, toPort: 22, cidrBlocks: ["198.51.100.7/32"] },
        { protocol: "tcp", fromPort: 7070, toPort: 7070, cidrBlocks: ["0.0.0.0/0"], ipv6CidrBlocks: ["2001:db8::/32"], self: true },
      ],
      egress: [{ protocol: "-1", cidrBlocks: ["0.0.0.0/0"] }],
    },
  ]);
});

it("tags everything that AWS tags with its environment, and asks the region it was told for it", async () => {
  await valueOf(makeAwsNetwork("net", spec(), {}).subnets);
  const tagged = made.filter(({ type }) => !/:(Route|RouteTableAssociation|aws)$/.test(type));
  expect(tagged.map(({ type }) => type.replace(/.*:/, "")).toSorted()).toEqual([
    "InternetGateway",
    "RouteTable",
    "SecurityGroup",
    "Subnet",
    "Vpc",
  ]);
  for (const { inputs } of tagged) {
    expect(inputs.tags).toMatchObject({ "spillway:environment-id": "e-1", "spillway:environment": "prod", Name: expect.any(String) });
  }
  expect(made.filter(({ type }) => type === "pulumi:providers:aws").every(({ inputs }) => inputs.region === "eu-central-1")).toBe(true);
  expect(made.every(({ type, provider }) => type === "pulumi:providers:aws" || /::aws-eu-central-1::/.test(provider ?? ""))).toBe(true);
});

it("gives each named zone a subnet without public addresses of its own accord, and a way out", async () => {
  const network = makeAwsNetwork("net", spec({ zones: ["eu-central-1b", "eu-central-1a"] }), {});
  expect(await valueOf(network.subnets)).toEqual({
    "eu-central-1a": "Subnet/net-eu-central-1a",
    "eu-central-1b": "Subnet/net-eu-central-1b",
  });
  expect(ofType("aws:ec2/subnet:Subnet")).toMatchObject([
    { availabilityZone: "eu-central-1b", cidrBlock: "10.203.16.0/20", mapPublicIpOnLaunch: false },
    { availabilityZone: "eu-central-1a", cidrBlock: "10.203.0.0/20", mapPublicIpOnLaunch: false },
  ]);
  expect(ofType("aws:ec2/route:Route")).toMatchObject([{ destinationCidrBlock: "0.0.0.0/0", gatewayId: "InternetGateway/net" }]);
  expect(ofType("aws:ec2/routeTableAssociation:RouteTableAssociation")).toHaveLength(2);
  expect(askedZones).toBeUndefined();
});

it("takes the region's first three own zones where none is named", async () => {
  const network = makeAwsNetwork("net", spec({ zones: [] }), {});
  expect(Object.keys(await valueOf(network.subnets))).toEqual(["eu-central-1a", "eu-central-1b", "eu-central-1c"]);
  expect(askedZones).toMatchObject({ state: "available", filters: [{ name: "opt-in-status", values: ["opt-in-not-required"] }] });
});

it("never lets SSH in from everywhere, and lets nobody in on the master's port where there is no master", () => {
  expect(() => letIn(spec({ sshFrom: ["198.51.100.7/32", "0.0.0.0/0"] }))).toThrow(expect.objectContaining({ code: "ssh-open-to-all" }));
  expect(() => letIn(spec({ sshFrom: ["::/0"] }))).toThrow(expect.objectContaining({ code: "ssh-open-to-all" }));
  expect(letIn(spec({ sshFrom: ["::/0"], isOpenOnPurpose: true }))[0]).toMatchObject({ fromPort: 22, ipv6CidrBlocks: ["::/0"] });
  const { masterPort: _, ...without } = spec();
  expect(letIn(without).map(({ fromPort }) => fromPort)).toEqual([22]);
});

it("lets its own machines reach a master that nobody else may reach", () => {
  expect(letIn(spec({ masterFrom: [] })).at(-1)).toEqual({
    protocol: "tcp",
    fromPort: 7070,
    toPort: 7070,
    description: "agents and people to the master",
    self: true,
  });
});

it("tells a zone's block by its letter, so that another zone moves none", () => {
  expect(vpcBlock).toBe("10.203.0.0/16");
  expect(subnetBlock("us-east-1f", "us-east-1")).toBe("10.203.80.0/20");
  for (const zone of ["us-west-2-lax-1a", "eu-west-1a", "us-east-1", "us-east-1aa"]) {
    expect(() => subnetBlock(zone, "us-east-1")).toThrow(expect.objectContaining({ code: "aws-zone-unknown" }));
  }
});
