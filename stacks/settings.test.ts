import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { environmentSettings, parseSettings } from "./settings.ts";
import { cloneDirectory, programDirectory } from "./state-layout.ts";
import { masterEndpoint, mastersMachine, wantedMachines } from "./wanted-machines.ts";

const good = { masters: { pool: "m" }, pools: { m: { provider: "local", count: 3 } } };

function messageOf(value: unknown, text?: string): string {
  try {
    parseSettings(value, text === undefined ? undefined : { file: "Pulumi.x.yaml", text, at: ["config", "spillway:environment"] });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("it was accepted");
}

it("fills in what is left out, in millicores, MiB and ms", () => {
  const settings = parseSettings(good);
  expect(settings.pools.m).toMatchObject({ count: 3, cpu: 2000, memory: 4096, disk: 10_240, node: "link" });
  expect(settings.heartbeat).toEqual({ heartbeatIntervalMs: 1000, suspectAfterMs: 5000, disconnectedAfterMs: 15_000, lostAfterMs: 60_000 });
  expect(settings.masters.reserve).toEqual({ cpu: 500, memory: 512, disk: 0, gpus: [] });
});

it("accepts the template of the environment local", () => {
  const template = parse(readFileSync(join(programDirectory, "local.template.yaml"), "utf8"));
  const settings = parseSettings(template.config["spillway:environment"]);
  expect(wantedMachines(settings).map(({ name, pool }) => `${pool}/${name}`)).toEqual(["m/m-1", "m/m-2", "m/m-3"]);
});

it("names the field and the line, and suggests the key that was meant", () => {
  const text =
    "config:\n  spillway:environment:\n    masters: { pool: m }\n    pools:\n      m:\n        provider: local\n        memroy: 4Gi\n";
  expect(messageOf(parse(text).config["spillway:environment"], text)).toBe(
    'pools.m.memroy: there is no such key. Did you mean "memory"?  (line 7)',
  );
});

it("lists the keys there are when nothing is near", () => {
  expect(messageOf({ ...good, zzzzzzzz: 1 })).toBe("zzzzzzzz: there is no such key; there are: masters, pools, jumps, heartbeat");
});

it("refuses what a later version will have, instead of ignoring it", () => {
  const value = { ...good, burst: {}, pools: { m: { provider: "local" }, cloud: { provider: "aws", region: "x" } } };
  expect(messageOf(value).split("\n")).toEqual([
    "burst: not available in this version",
    "pools.cloud.provider: not available in this version",
  ]);
});

it("says how a quantity is written", () => {
  expect(messageOf({ ...good, pools: { m: { provider: "local", memory: 4 } } })).toMatch(
    /^pools\.m\.memory: "4" is not an amount of memory/,
  );
});

it("refuses a master's pool that does not exist", () => {
  expect(messageOf({ ...good, masters: { pool: "rack" } })).toBe('masters.pool: there is no node pool "rack"; there are: m');
});

it("refuses to keep back more than the master's machine has", () => {
  const value = { masters: { pool: "m", reserve: { cpu: 4 } }, pools: { m: { provider: "local", cpu: 2 } } };
  expect(messageOf(value)).toBe('masters.reserve: keeps back more cpu than a machine of pool "m" has');
});

it("refuses timers that do not grow", () => {
  expect(messageOf({ ...good, heartbeat: { suspectAfter: "20s" } })).toMatch(/^heartbeat: must grow/);
});

const pinnedKey = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const rack = (over: object, hosts: object[] = [{ host: "192.0.2.11", hostKey: pinnedKey }]) => ({
  masters: { pool: "rack" },
  pools: { rack: { provider: "ssh", hosts, ...over } },
});

it("fills in for each host what is said for its pool, and names it by its address", () => {
  const jumps = { bastion: { host: "192.0.2.1", hostKey: pinnedKey, key: "~/.ssh/id" } };
  const hosts = [
    { host: "192.0.2.11", hostKey: pinnedKey },
    { host: "db1.example.org", hostKey: pinnedKey, name: "db", jump: "bastion", port: 2222, user: "root", labels: { disk: "ssd" } },
    { host: "2001:db8::7", trustOnFirstUse: true },
  ];
  const settings = parseSettings({ ...rack({ site: "berlin", user: "ops", labels: { rack: "a" }, key: "/k" }, hosts), jumps });
  const machines = wantedMachines(settings);
  expect(machines.map(({ name }) => name)).toEqual(["rack-192-0-2-11", "db", "rack-2001-db8-7"]);
  expect(machines[1]).toMatchObject({
    host: {
      host: "db1.example.org",
      port: 2222,
      user: "root",
      credential: { kind: "file", path: "/k" },
      jump: { host: "192.0.2.1", port: 22, user: "root", hostKey: pinnedKey, credential: { kind: "file", path: "~/.ssh/id" } },
      labels: { rack: "a", disk: "ssd" },
      site: "berlin",
    },
  });
  expect(masterEndpoint(mastersMachine(machines, settings), settings)?.origin).toBe("https://192.0.2.11:7070");
});

it.each([
  [rack({ user: "ops; rm" }), "pools.rack.user: write a user's name"],
  [rack({ key: "id_ed25519" }), "pools.rack.key: write the path of a private key file"],
  [rack({}, []), "pools.rack.hosts: there must be at least one host"],
  [rack({}, [{ host: "192.0.2.11:22" }]), "pools.rack.hosts[0].host: write a host name or an address"],
  [rack({}, [{ host: "a", hostKey: "MD5:00" }]), "pools.rack.hosts[0].hostKey: write the fingerprint"],
  [rack({}, [{ host: "a", hostkey: pinnedKey }]), 'pools.rack.hosts[0].hostkey: there is no such key. Did you mean "hostKey"?'],
  [rack({}, [{ host: "a" }, { host: "a" }]), "pools.rack.hosts[1].host: a:22 stands in pools.rack.hosts[0] already"],
  [
    rack({}, [{ host: "a.x" }, { host: "a.y" }]),
    "pools.rack.hosts[1].name: its machine would be named rack-a like that of pools.rack.hosts[0]",
  ],
  [rack({ jump: "bastion" }), 'pools.rack.jump: there is no jump host "bastion"; name it under jumps'],
  [{ ...rack({}), masters: { pool: "rack", endpoint: "http://x" } }, 'masters.endpoint: "http://x" is not of the form https://'],
  [
    { ...good, masters: { pool: "m", endpoint: "https://x:1" } },
    "masters.endpoint: a master on this computer listens on a free loopback port",
  ],
  [
    { masters: { pool: "m" }, pools: { ...good.pools, ...rack({}).pools } },
    'masters.pool: the hosts of pool "rack" can\'t dial a master on this',
  ],
])("refuses %j", (value, sentence) => {
  expect(messageOf(value)).toContain(sentence);
});

it("never fails with anything but a readable error, whatever it is given", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      try {
        parseSettings(value);
      } catch (error) {
        expect(error).toMatchObject({ code: "settings" });
      }
    }),
  );
});

it("accepts the examples of the reference, and the reference names every key", () => {
  const reference = readFileSync(join(cloneDirectory, "docs/settings.md"), "utf8");
  const examples = [...reference.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => parse(text ?? "").config["spillway:environment"]);
  expect(examples.flatMap((example) => Object.keys(parseSettings(example).pools))).toEqual(["m", "rack"]);
  const schema = z.toJSONSchema(environmentSettings, { io: "input", unrepresentable: "any" });
  for (const key of keysOf(schema)) expect(reference, `docs/settings.md lacks ${key}`).toContain(`${key}:`);
});

/** Every key a user may write, at any depth. */
function keysOf(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const { properties, additionalProperties, items, oneOf } = schema as {
    properties?: Record<string, unknown>;
    additionalProperties?: unknown;
    items?: unknown;
    oneOf?: unknown[];
  };
  const own = Object.entries(properties ?? {}).flatMap(([key, inner]) => [key, ...keysOf(inner)]);
  return [...own, ...[additionalProperties, items, ...(oneOf ?? [])].flatMap(keysOf)];
}
