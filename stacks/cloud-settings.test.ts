import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { burstPool } from "./burst-settings.ts";
import { parseSettings } from "./settings.ts";
import { aws, azure, bursting, buying, inClouds, problemsOf, publicKey } from "./testing/cloud-pools.ts";

let keys = "";
beforeAll(() => {
  keys = mkdtempSync(join(tmpdir(), "spillway-keys-"));
  writeFileSync(join(keys, "id"), "a private key");
  writeFileSync(join(keys, "id.pub"), `${publicKey}\n`);
  writeFileSync(join(keys, "other.pub"), "this is no key\n");
});
afterAll(() => rmSync(keys, { recursive: true, force: true }));

const nodePool = (pool: object) => parseSettings(inClouds({ pools: { base: aws(), more: pool } })).pools.more;
const boughtFrom = (pool: object) => parseSettings(bursting({ cloud: pool })).burst?.pools.cloud;

describe("a node pool of a cloud", () => {
  it("needs its provider, region, type, key and who may come in by SSH; all else is filled in", () => {
    expect(nodePool(aws({ masterFrom: undefined }))).toEqual({
      provider: "aws",
      region: "eu-central-1",
      instanceType: "m7i.large",
      count: 1,
      zones: [],
      market: "on-demand",
      image: { distribution: "debian-12" },
      diskGiB: 20,
      address: "public",
      sshFrom: ["203.0.113.7/32"],
      masterFrom: [],
      labels: {},
      reserve: {},
      credential: { kind: "agent" },
      authorizedKeys: [publicKey],
      join: "ssh",
      bootTimeoutMs: 300_000,
    });
    expect(nodePool(azure())).toMatchObject({ provider: "azure", bootTimeoutMs: 600_000 });
  });

  it("takes every key that may be written", () => {
    const network = { subnets: { "eu-central-1a": "subnet-0a1" }, securityGroups: ["sg-0b2"] };
    const written = {
      count: 3,
      zones: ["eu-central-1a"],
      market: "spot",
      image: "ubuntu-24.04",
      disk: "100Gi",
      address: "private",
      sshFrom: ["203.0.113.0/24", "2001:db8::/48"],
      key: join(keys, "id"),
      keyPassphrase: "env:PASSPHRASE",
      authorizedKeys: undefined,
      jump: "bastion",
      labels: { rack: "a" },
      masterFrom: ["198.51.100.0/24"],
      bootTimeout: "90s",
      reserve: { cpu: "250m" },
      network,
    };
    const jumps = { bastion: { host: "192.0.2.1", hostKey: `SHA256:${"A".repeat(43)}` } };
    const { pools } = parseSettings(inClouds({ pools: { base: aws(), more: aws(written) }, jumps }));
    expect(pools.more).toEqual({
      provider: "aws",
      region: "eu-central-1",
      instanceType: "m7i.large",
      count: 3,
      zones: ["eu-central-1a"],
      market: "spot",
      image: { distribution: "ubuntu-24.04" },
      diskGiB: 100,
      address: "private",
      sshFrom: ["203.0.113.0/24", "2001:db8::/48"],
      masterFrom: ["198.51.100.0/24"],
      labels: { rack: "a" },
      reserve: { cpu: 250 },
      credential: { kind: "file", path: join(keys, "id"), passphrase: { kind: "env", name: "PASSPHRASE" } },
      authorizedKeys: [publicKey],
      join: "ssh",
      jump: "bastion",
      network,
      bootTimeoutMs: 90_000,
    });
  });

  it("takes an image by the cloud's own id, and an Azure network by its ids", () => {
    expect(nodePool(aws({ image: "ami-0123456789abcdef0" }))).toMatchObject({ image: { id: "ami-0123456789abcdef0" } });
    const network = { resourceGroup: "ours", subnet: "/subscriptions/s/x", securityGroup: "/subscriptions/s/y" };
    expect(nodePool(azure({ image: "/subscriptions/s/z", network }))).toMatchObject({ image: { id: "/subscriptions/s/z" }, network });
  });

  it("reads public keys from .pub files that are named", () => {
    const authorizedKeys = [publicKey, join(keys, "id.pub")];
    expect(nodePool(aws({ authorizedKeys }))).toMatchObject({ authorizedKeys: [publicKey, publicKey] });
  });

  it.each([
    [{ region: "EU" }, "pools.base.region: write a region as the cloud names it, e.g. eu-central-1 or westeurope"],
    [{ region: undefined }, "pools.base.region: is missing: as the cloud names it: eu-central-1, westeurope"],
    [{ instanceType: "m7i large" }, "pools.base.instanceType: write a type as the cloud names it, e.g. m7i.large or Standard_D2s_v5"],
    [{ zones: ["A"] }, "pools.base.zones[0]: write a zone as the cloud names it, e.g. eu-central-1a, or 1 on Azure"],
    [{ image: "centos" }, "pools.base.image: write debian-12 or ubuntu-24.04 (the newest one, which is then kept), or an image's id"],
    [{ disk: "4Gi" }, "pools.base.disk: write whole Gi, at least 8Gi"],
    [{ disk: "20500Mi" }, "pools.base.disk: write whole Gi, at least 8Gi"],
    [{ sshFrom: ["203.0.113.7"] }, "pools.base.sshFrom[0]: write a block of addresses, e.g. 203.0.113.7/32"],
    [{ key: "id_ed25519" }, "pools.base.key: write the path of a private key file"],
    [{ authorizedKeys: undefined }, "pools.base.authorizedKeys: is missing: with key: agent write the public key"],
    [{ authorizedKeys: [], join: "cloud-init" }, "pools.base.authorizedKeys: there must be at least one key, or nobody gets in"],
    [{ authorizedKeys: [] }, "pools.base.authorizedKeys: there must be at least one key, or nobody gets in"],
    [{ authorizedKeys: ["ssh-ed25519"] }, "pools.base.authorizedKeys: write a public key's line (ssh-ed25519 AAAA…)"],
    [{ authorizedKeys: [`${publicKey}\nssh-rsa AAAA`] }, "pools.base.authorizedKeys: write a public key's line"],
    [{ authorizedKeys: ["/nowhere/id.pub"] }, "pools.base.authorizedKeys: /nowhere/id.pub can't be read: ENOENT"],
    [{ jump: "bastion" }, 'pools.base.jump: there is no jump host "bastion"; name it under jumps'],
    [{ count: 0 }, "pools.base.count: "],
    [{ bootTimeout: 5 }, 'pools.base.bootTimeout: "5" is not a duration'],
    [{ network: { subnets: {}, securityGroups: [] } }, "pools.base.network.securityGroups: "],
    [{ network: { subnets: { "eu-central-1a": "vpc-1" }, securityGroups: ["sg-1"] } }, "pools.base.network.subnets.eu-central-1a: "],
    [{ instancetype: "x" }, 'pools.base.instancetype: there is no such key. Did you mean "instanceType"?'],
  ])("is refused with %j", (over, sentence) => {
    expect(problemsOf(inClouds({ pools: { base: aws(over) } })).join("\n")).toContain(sentence);
  });

  it("is refused with a .pub file that holds no key", () => {
    const pools = { base: aws({ authorizedKeys: [join(keys, "other.pub")] }) };
    expect(problemsOf(inClouds({ pools }))).toEqual([`pools.base.authorizedKeys: ${join(keys, "other.pub")} holds no public key`]);
  });

  it("says instead of its type what it must have, of which the processor is filled in", () => {
    expect(nodePool(aws({ instanceType: undefined, types: { memory: ["4Gi", "16Gi"], names: ["m7*"] } }))).toMatchObject({
      types: { cpu: [2, 32], memory: [4096, 16_384], names: ["m7*"], arch: ["x64"], bareMetal: false, burstable: false },
    });
    const types = { cpu: [1, 1], gpu: { model: "t4" }, arch: ["arm64"], bareMetal: true, burstable: true };
    expect(nodePool(azure({ instanceType: undefined, types }))).toMatchObject({ types: { ...types, gpu: { model: "t4", count: [1, 8] } } });
  });

  it.each([
    [
      { instanceType: undefined },
      "pools.base.instanceType: is missing: a type as the cloud names it, e.g. m7i.large; or write types: what it must have, e.g. { cpu: [4, 8] }",
    ],
    [{ types: {} }, "pools.base.types: stands beside instanceType: write one of the two"],
    [{ instanceType: undefined, types: { arch: ["x64", "arm64"] } }, "pools.base.types.arch: write one, [x64] or [arm64]: "],
    [{ instanceType: undefined, types: { cpu: [8, 2] } }, "pools.base.types.cpu: write the smaller number first"],
    [{ instanceType: undefined, types: { gpus: {} } }, 'pools.base.types.gpus: there is no such key. Did you mean "gpu"?'],
  ])("is refused with %j, and no other complaint", (over, sentence) => {
    const [first, ...others] = problemsOf(inClouds({ pools: { base: aws(over) } }));
    expect(first).toContain(sentence);
    expect(others).toEqual([]);
  });

  it("has the network of its own cloud alone", () => {
    const network = { resourceGroup: "ours", subnet: "/subscriptions/s/x", securityGroup: "/subscriptions/s/y" };
    expect(problemsOf(inClouds({ pools: { base: aws({ network }) } })).join("\n")).toContain("pools.base.network.");
  });
});

describe("a burst pool of a cloud", () => {
  it("needs its provider, regions, key and who may come in by SSH; all else is filled in", () => {
    expect(boughtFrom(buying())).toEqual({
      provider: "aws",
      regions: ["eu-central-1"],
      market: ["spot", "on-demand"],
      types: { cpu: [2, 32], arch: ["x64", "arm64"], bareMetal: false, burstable: false },
      image: { distribution: "debian-12" },
      diskGiB: 20,
      address: "public",
      sshFrom: ["203.0.113.7/32"],
      labels: {},
      maxNodes: 100,
      networks: {},
      credential: { kind: "agent" },
      authorizedKeys: [publicKey],
      join: "ssh",
      launchTimeoutMs: 180_000,
    });
    expect(boughtFrom(buying({ provider: "azure", regions: ["westeurope"] }))).toMatchObject({ launchTimeoutMs: 480_000 });
  });

  it("takes every key that may be written", () => {
    const types = {
      cpu: [4, 64],
      memory: ["8Gi", "256Gi"],
      gpu: { model: "t4" },
      arch: ["x64"],
      names: ["g4dn.*"],
      bareMetal: true,
      burstable: true,
    };
    const networks = { "us-east-1": { subnets: { "us-east-1a": "subnet-1" }, securityGroups: ["sg-1"] } };
    const written = { regions: ["eu-central-1", "us-east-1"], market: ["spot"], types, networks, maxNodes: 7, launchTimeout: "4m" };
    expect(boughtFrom(buying(written))).toMatchObject({
      regions: ["eu-central-1", "us-east-1"],
      market: ["spot"],
      types: { ...types, memory: [8192, 262_144], gpu: { model: "t4", count: [1, 8] } },
      networks,
      maxNodes: 7,
      launchTimeoutMs: 240_000,
    });
  });

  it("travels to the burster as it is", () => {
    for (const pool of [buying({ types: { gpu: {}, memory: ["1Gi", "2Gi"] } }), buying({ provider: "azure", regions: ["westeurope"] })]) {
      const travelled = JSON.parse(JSON.stringify(boughtFrom(pool)));
      expect(burstPool.parse(travelled)).toEqual(travelled);
    }
  });

  it.each([
    [{ regions: [] }, "burst.pools.cloud.regions: there must be at least one region"],
    [{ market: [] }, "burst.pools.cloud.market: "],
    [{ market: ["cheap"] }, "burst.pools.cloud.market[0]: "],
    [{ types: { cpu: [8, 2] } }, "burst.pools.cloud.types.cpu: write the smaller number first"],
    [{ types: { memory: ["8Gi", "4Gi"] } }, "burst.pools.cloud.types.memory: write the smaller first"],
    [{ types: { memory: [8, 16] } }, 'burst.pools.cloud.types.memory[0]: "8" is not an amount of memory'],
    [{ types: { arch: [] } }, "burst.pools.cloud.types.arch: "],
    [{ types: { gpus: {} } }, 'burst.pools.cloud.types.gpus: there is no such key. Did you mean "gpu"?'],
    [{ maxNodes: -1 }, "burst.pools.cloud.maxNodes: "],
    [{ launchTimeout: "5s" }, "burst.pools.cloud.launchTimeout: must be at least 10s"],
    [{ count: 2 }, "burst.pools.cloud.count: there is no such key"],
    [{ key: "~/.ssh/id", keyPassphrase: "ask" }, "burst.pools.cloud.keyPassphrase: must be file:~/PATH for bursts"],
  ])("is refused with %j", (over, sentence) => {
    expect(problemsOf(bursting({ cloud: buying(over) })).join("\n")).toContain(sentence);
  });
});
