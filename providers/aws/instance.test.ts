import * as pulumi from "@pulumi/pulumi";
import { beforeEach, expect, it } from "vitest";
import { imageQuery } from "./image.ts";
import { type AwsInstanceSpec, makeAwsInstance, subnetOf } from "./instance.ts";

type Registered = pulumi.runtime.MockResourceArgs;
let made: Registered[] = [];
let invoked: { token: string; inputs: unknown }[] = [];

beforeEach(async () => {
  made = [];
  invoked = [];
  await pulumi.runtime.setMocks({
    newResource: (args) => {
      made.push(args);
      const isInstance = args.type === "aws:ec2/instance:Instance";
      const found = isInstance
        ? { privateIp: "10.203.0.9", publicIp: args.inputs.associatePublicIpAddress ? "192.0.2.9" : "", availabilityZone: "eu-central-1b" }
        : { publicIp: "192.0.2.77" };
      return { id: isInstance ? "i-0abc" : `${args.name}-id`, state: { ...args.inputs, ...found } };
    },
    call: ({ token, inputs }) => {
      invoked.push({ token, inputs });
      return { id: "ami-newest" };
    },
  });
});

const identity = { environment: "prod", environmentId: "e-1", pool: "base", name: "base-1" };
const spec = (over: Partial<AwsInstanceSpec> = {}): AwsInstanceSpec => ({
  region: "eu-central-1",
  zone: "eu-central-1b",
  instanceType: "m7i.large",
  arch: "x64",
  market: "on-demand",
  image: { distribution: "debian-12" },
  diskGiB: 40,
  address: "public",
  userData: "#cloud-config\nssh_deletekeys: true\n",
  identity,
  network: { subnets: { "eu-central-1a": "subnet-a", "eu-central-1b": "subnet-b" }, securityGroupIds: ["sg-1"] },
  ...over,
});
const valueOf = <T>(output: pulumi.Output<T>) => new Promise<T>((resolve) => void output.apply(resolve));
async function instanceOf(over: Partial<AwsInstanceSpec> = {}) {
  const machine = makeAwsInstance(spec(over), {});
  await valueOf(machine.host);
  const registered = made.find(({ type }) => type === "aws:ec2/instance:Instance");
  if (registered === undefined) throw new Error("no instance was made");
  return { machine, inputs: registered.inputs as Record<string, unknown> };
}
/** The mocks hand secrets over as marked objects where they are not unwrapped. */
const plain = (value: unknown) => (typeof value === "object" && value !== null && "value" in value ? value.value : value);

it("makes a machine whose metadata want a session token and go no hop further, with an encrypted disk that goes with it", async () => {
  const { inputs } = await instanceOf();
  expect(inputs).toMatchObject({
    ami: "ami-newest",
    instanceType: "m7i.large",
    subnetId: "subnet-b",
    vpcSecurityGroupIds: ["sg-1"],
    associatePublicIpAddress: true,
    metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
    rootBlockDevice: { volumeType: "gp3", volumeSize: 40, encrypted: true, deleteOnTermination: true },
  });
  for (const unwanted of ["iamInstanceProfile", "keyName", "instanceMarketOptions", "creditSpecification"]) {
    expect(inputs).not.toHaveProperty(unwanted);
  }
});

it("tags the machine and its disk in the call that makes them", async () => {
  const { inputs } = await instanceOf({ identity: { ...identity, burst: "b-1" } });
  const tags = {
    "spillway:environment-id": "e-1",
    "spillway:environment": "prod",
    "spillway:pool": "base",
    "spillway:node": "base-1",
    "spillway:burst": "b-1",
    Name: "base-1",
  };
  expect(inputs.tags).toEqual(tags);
  expect(inputs.volumeTags).toEqual(tags);
});

it("hands its user data over in base64, and they are a secret from then on", async () => {
  const { machine, inputs } = await instanceOf();
  expect(Buffer.from(String(plain(inputs.userDataBase64)), "base64").toString()).toBe("#cloud-config\nssh_deletekeys: true\n");
  const { userDataBase64 } = machine.resource as unknown as { userDataBase64: pulumi.Output<string> };
  expect(await pulumi.isSecret(userDataBase64)).toBe(true);
});

it("ends a burst that is shut down, and keeps a node pool's machine", async () => {
  expect((await instanceOf()).inputs.instanceInitiatedShutdownBehavior).toBe("stop");
  made = [];
  expect((await instanceOf({ identity: { ...identity, burst: "b-1" } })).inputs.instanceInitiatedShutdownBehavior).toBe("terminate");
  made = [];
  expect((await instanceOf({ market: "spot" })).inputs.instanceInitiatedShutdownBehavior).toBe("terminate");
});

it("buys spot once, up to the highest price, and is ended and not stopped when it is taken back", async () => {
  expect((await instanceOf({ market: "spot", maxSpotPrice: 0.0832 })).inputs.instanceMarketOptions).toEqual({
    marketType: "spot",
    spotOptions: { spotInstanceType: "one-time", instanceInterruptionBehavior: "terminate", maxPrice: "0.083200" },
  });
  made = [];
  const { inputs } = await instanceOf({ market: "spot" });
  expect((inputs.instanceMarketOptions as { spotOptions: object }).spotOptions).not.toHaveProperty("maxPrice");
});

it("never lends CPU of a burstable type beyond what its price holds", async () => {
  expect((await instanceOf({ instanceType: "t4g.small", arch: "arm64" })).inputs.creditSpecification).toEqual({ cpuCredits: "standard" });
});

it("takes a type that is known only while the program runs, with all that follows from it", async () => {
  const burstable = await instanceOf({ instanceType: pulumi.output("t3.large") });
  expect(burstable.inputs).toMatchObject({ instanceType: "t3.large", creditSpecification: { cpuCredits: "standard" } });
  made = [];
  const { inputs } = await instanceOf({ instanceType: pulumi.output("m7i.large") });
  expect(inputs.instanceType).toBe("m7i.large");
  expect(inputs).not.toHaveProperty("creditSpecification");
});

it("is reached at its public address, or at its private one where it has no other", async () => {
  expect(await valueOf((await instanceOf()).machine.host)).toBe("192.0.2.9");
  made = [];
  const { machine, inputs } = await instanceOf({ address: "private" });
  expect(inputs.associatePublicIpAddress).toBe(false);
  expect(await valueOf(machine.host)).toBe("10.203.0.9");
  expect(await valueOf(machine.zone)).toBe("eu-central-1b");
});

it("hangs an address of its own on a machine that has to keep it", async () => {
  const { machine } = await instanceOf({ address: "fixed" });
  expect(await valueOf(machine.host)).toBe("192.0.2.77");
  expect(await valueOf(machine.providerId)).toBe("i-0abc");
  const [address, association] = ["aws:ec2/eip:Eip", "aws:ec2/eipAssociation:EipAssociation"].map((type) =>
    made.find((one) => one.type === type),
  );
  expect(address?.inputs).toMatchObject({ domain: "vpc", tags: { "spillway:environment-id": "e-1", "spillway:node": "base-1" } });
  // An address that knew its instance would be made anew with it.
  expect(address?.inputs).not.toHaveProperty("instance");
  expect(association?.inputs).toEqual({ allocationId: "base-1-address-id", instanceId: "i-0abc" });
  expect(await valueOf(machine.resource.urn)).toContain("eipAssociation");
});

it("takes an image by its id as it is, and asks the makers' own account for the newest of a distribution", async () => {
  expect((await instanceOf({ image: { id: "ami-mine" } })).inputs.ami).toBe("ami-mine");
  expect(invoked).toEqual([]);
  made = [];
  await instanceOf({ image: { distribution: "ubuntu-24.04" }, arch: "arm64" });
  expect(invoked).toMatchObject([{ token: "aws:ec2/getAmi:getAmi", inputs: { owners: ["099720109477"], mostRecent: true } }]);
  expect(imageQuery("debian-12", "x64")).toMatchObject({
    owners: ["136693071363"],
    filters: [
      { name: "name", values: ["debian-12-amd64-*"] },
      { name: "architecture", values: ["x86_64"] },
      { name: "virtualization-type", values: ["hvm"] },
      { name: "root-device-type", values: ["ebs"] },
    ],
  });
});

async function optionsOf(over: Partial<AwsInstanceSpec> = {}, options: pulumi.CustomResourceOptions = {}) {
  const seen: pulumi.CustomResourceOptions[] = [];
  const transformation: pulumi.ResourceTransformation = ({ type, opts }) => {
    if (type === "aws:ec2/instance:Instance") seen.push(opts);
    return undefined;
  };
  await valueOf(makeAwsInstance(spec(over), { ...options, transformations: [transformation] }).host);
  return seen[0];
}

it("never makes a machine anew for a newer image, other user data, an address that a stop took, or another highest price", async () => {
  const settled = ["ami", "userData", "userDataBase64", "associatePublicIpAddress", "volumeTags"];
  expect((await optionsOf())?.ignoreChanges).toEqual(settled);
  expect((await optionsOf({ market: "spot" }, { ignoreChanges: ["tags"] }))?.ignoreChanges).toEqual([
    "tags",
    ...settled,
    "instanceMarketOptions.spotOptions.maxPrice",
  ]);
});

it("leaves a machine without a zone in the subnet that it was made in", async () => {
  const { zone: _, ...anywhere } = spec();
  const seen: (string[] | undefined)[] = [];
  const transformation: pulumi.ResourceTransformation = ({ opts }) => {
    seen.push((opts as pulumi.CustomResourceOptions).ignoreChanges);
    return undefined;
  };
  await valueOf(makeAwsInstance(anywhere, { transformations: [transformation] }).host);
  expect(seen[0]).toContain("subnetId");
});

it("keeps user data out of the state's plain text, and waits longer for a whole host", async () => {
  expect((await optionsOf())?.additionalSecretOutputs).toEqual(["userData", "userDataBase64"]);
  expect((await optionsOf())?.customTimeouts).toBeUndefined();
  expect((await optionsOf({ instanceType: "c7g.metal" }))?.customTimeouts).toEqual({ create: "30m" });
  const unknown = pulumi.output("m7i.large");
  expect((await optionsOf({ instanceType: unknown, mayBeBareMetal: true }))?.customTimeouts).toEqual({ create: "30m" });
  expect((await optionsOf({ instanceType: unknown, mayBeBareMetal: false }))?.customTimeouts).toBeUndefined();
});

it("imports a machine that an interrupted run made, and nothing else by its id", async () => {
  const options = await optionsOf({ address: "fixed" }, { import: "i-0abc" });
  expect(options).toMatchObject({ import: "i-0abc", ignoreChanges: expect.arrayContaining(["volumeTags"]) });
  expect(made.filter(({ id }) => id === "i-0abc").map(({ type }) => type)).toEqual(["aws:ec2/instance:Instance"]);
});

it("spreads machines without a zone over the subnets, each always to the same one", () => {
  const subnets = { a: "subnet-a", b: "subnet-b", c: "subnet-c" };
  const chosen = Array.from({ length: 30 }, (_, index) =>
    subnetOf({ region: "r", identity: { ...identity, name: `m-${index}` } }, subnets),
  );
  expect(new Set(chosen)).toEqual(new Set(Object.values(subnets)));
  expect(subnetOf({ region: "r", identity }, subnets)).toBe(
    subnetOf({ region: "r", identity }, { c: "subnet-c", b: "subnet-b", a: "subnet-a" }),
  );
});

it("refuses a zone in which its network has no subnet, and says which have one", () => {
  const place = { region: "eu-central-1", zone: "eu-central-1c", identity };
  expect(() => subnetOf(place, { "eu-central-1a": "subnet-a" })).toThrow(
    expect.objectContaining({ code: "aws-zone-without-subnet", hint: expect.stringContaining("eu-central-1a") }),
  );
  expect(() => subnetOf({ region: "eu-central-1", identity }, {})).toThrow(expect.objectContaining({ code: "aws-zone-without-subnet" }));
});
