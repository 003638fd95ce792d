import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { burstPool } from "./burst-settings.ts";
import { environmentSettings, parseSettings } from "./settings.ts";
import { cloneDirectory, programDirectory } from "./state-layout.ts";
import { masterEndpoint, mastersMachine, systemReserves, wantedMachines } from "./wanted-machines.ts";

const good = { masters: { pool: "m" }, pools: { m: { provider: "local", count: 3 } } };
const bursting = { pools: { overflow: { provider: "local" } }, maxNodes: 4, budget: { perHour: 1 } };

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
  expect(settings.burst).toMatchObject({
    pools: { overflow: { provider: "local", cpu: 2000, memory: 4096, disk: 10_240, price: { hourly: 0.1 } } },
    policy: { maxNodes: 4, budget: { perHour: 0.4 }, retire: { idleForMs: 10_000, minimumLifeMs: 10_000 } },
  });
});

it("names the field and the line, and suggests the key that was meant", () => {
  const text =
    "config:\n  spillway:environment:\n    masters: { pool: m }\n    pools:\n      m:\n        provider: local\n        memroy: 4Gi\n";
  expect(messageOf(parse(text).config["spillway:environment"], text)).toBe(
    'pools.m.memroy: there is no such key. Did you mean "memory"?  (line 7)',
  );
});

it("lists the keys there are when nothing is near", () => {
  expect(messageOf({ ...good, zzzzzzzz: 1 })).toBe(
    "zzzzzzzz: there is no such key; there are: masters, pools, jumps, heartbeat, upgrade, guards, burst",
  );
});

it("refuses what a later version will have, instead of ignoring it", () => {
  const burst = { ...bursting, retire: { repatriate: true } };
  const value = { ...good, masters: { pool: "m", count: 3 }, roles: {}, volumes: {}, burst };
  expect(messageOf(value).split("\n")).toEqual([
    "roles: not available in this version",
    "volumes: not available in this version",
    "masters.count: not available in this version",
    "burst.retire.repatriate: not available in this version",
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

it("does not burst where nothing is said of bursts", () => {
  expect(parseSettings(good)).not.toHaveProperty("burst");
});

it("fills in what is left out of bursts, in millicores, MiB, ms and USD", () => {
  expect(parseSettings({ ...good, burst: bursting }).burst).toEqual({
    pools: {
      overflow: {
        provider: "local",
        cpu: 2000,
        memory: 4096,
        disk: 10_240,
        labels: {},
        node: "link",
        price: { hourly: 0.1 },
        maxNodes: 4,
        launchTimeoutMs: 30_000,
      },
    },
    policy: {
      rules: [{ pendingForMs: 30_000, priorityAtLeast: 0, use: "cheapest", maxParallel: 4, perBurst: 1 }],
      maxNodes: 4,
      budget: { perHour: 1, zone: "UTC" },
      retire: { idleForMs: 300_000, minimumLifeMs: 60_000, drainDeadlineMs: 300_000 },
      retryAfterMs: 300_000,
      expireAfterMs: 1_800_000,
    },
    sweep: { everyMs: 60_000, unknownAfterMs: 90_000 },
  });
});

const spare = (over: object = {}, hosts: object[] = [{ host: "192.0.2.21", hostKey: pinnedKey }]) => ({
  ...bursting,
  pools: { spare: { provider: "ssh", cpu: 4, memory: "8Gi", hosts, ...over } },
});

it("fills in each spare host, which travels to the burster as it is", () => {
  const jumps = { bastion: { host: "192.0.2.1", hostKey: pinnedKey } };
  const hosts = [
    { host: "192.0.2.21", hostKey: pinnedKey, price: { hourly: 0.2 } },
    { host: "db1.example.org", trustOnFirstUse: true },
  ];
  const burst = spare({ user: "ops", jump: "bastion", site: "berlin", labels: { rack: "a" }, disk: "10Gi" }, hosts);
  const settings = parseSettings({ ...rack({}), jumps, burst });
  const common = { port: 22, user: "ops", credential: { kind: "agent" }, labels: { rack: "a" }, site: "berlin" };
  const pool = settings.burst?.pools.spare;
  expect(pool).toMatchObject({
    provider: "ssh",
    cpu: 4000,
    memory: 8192,
    disk: 10_240,
    launchTimeoutMs: 180_000,
    hosts: [
      { ...common, name: "spare-192-0-2-21", hostKey: pinnedKey, price: { hourly: 0.2 }, jump: { host: "192.0.2.1" } },
      { ...common, name: "spare-db1", trustOnFirstUse: true, price: { hourly: 0 } },
    ],
  });
  expect(burstPool.parse(JSON.parse(JSON.stringify(pool)))).toEqual(JSON.parse(JSON.stringify(pool)));
  // None of them is a machine of the environment's own stack.
  expect(wantedMachines(settings).map(({ name }) => name)).toEqual(["rack-192-0-2-11"]);
});

it.each([
  [{ ...bursting, budget: undefined }, "burst.budget: is missing: what bursts may cost at most, in USD"],
  [{ ...bursting, budget: {} }, "burst.budget: write at least one of perHour, perDay and perMonth (in USD)"],
  [{ ...bursting, budget: { perHour: 1, zone: "Berlin" } }, 'burst.budget.zone: there is no time zone "Berlin"'],
  [{ ...bursting, maxNodes: undefined }, "burst.maxNodes: is missing: machines that may be bought"],
  [{ ...bursting, pools: {} }, "burst.pools: there must be at least one burst pool"],
  [{ ...bursting, pools: { o: { provider: "gcp" } } }, "burst.pools.o.provider: write provider: local"],
  [{ ...bursting, pools: { o: { provider: "local", count: 2 } } }, "burst.pools.o.count: there is no such key"],
  [{ ...bursting, pools: { o: { provider: "local", launchTimeout: "10ms" } } }, "burst.pools.o.launchTimeout: must be at least 1s"],
  [{ ...bursting, pools: { ["o".repeat(41)]: { provider: "local" } } }, "use at most 40 characters"],
  [{ ...bursting, pools: { m: { provider: "local" } } }, 'burst.pools.m: there is a node pool "m" too'],
  [{ ...bursting, rules: [] }, "burst.rules: there must be at least one rule"],
  [
    { ...bursting, rules: [{ use: ["overflow", "overflw"] }] },
    'burst.rules[0].use[1]: there is no burst pool "overflw". Did you mean "overflow"?',
  ],
  [{ ...bursting, rules: [{ use: ["elsewhere"] }] }, 'burst.rules[0].use[0]: there is no burst pool "elsewhere"; there are: overflow'],
  [{ ...bursting, rules: [{ whn: {} }] }, 'burst.rules[0].whn: there is no such key. Did you mean "when"?'],
  [{ ...bursting, sweep: { every: "0s" } }, "burst.sweep.every: must be at least 1s"],
  [{ ...bursting, expireAfter: "10s" }, "burst.expireAfter: must be longer than heartbeat.disconnectedAfter"],
  [spare(), "burst.pools.spare.provider: hosts can't dial a master on this computer's loopback"],
])("refuses bursts of %j", (burst, sentence) => {
  expect(messageOf({ ...good, burst })).toContain(sentence);
});

it.each([
  [spare({ cpu: undefined }), "burst.pools.spare.cpu: is missing: what tasks may use of each host"],
  [spare({}, [{ host: "192.0.2.11" }]), "burst.pools.spare.hosts[0].host: 192.0.2.11:22 stands in pools.rack.hosts[0] already"],
  [spare({}, [{ host: "a" }, { host: "a" }]), "burst.pools.spare.hosts[1].host: a:22 stands in burst.pools.spare.hosts[0] already"],
  [spare({}, [{ host: "a", name: "rack-192-0-2-11" }]), "would be named rack-192-0-2-11 like that of pools.rack.hosts[0]"],
  [spare({ jump: "bastion" }), 'burst.pools.spare.jump: there is no jump host "bastion"; name it under jumps'],
  [bursting, "burst.pools.overflow.provider: machines on this computer burst only where the master is on this computer too"],
])("refuses, with a master on a host, bursts of %j", (burst, sentence) => {
  expect(messageOf({ ...rack({}), burst })).toContain(sentence);
});

it("refuses a machine that is named as a burst names its own", () => {
  const value = { masters: { pool: "b-tm4k2c" }, pools: { "b-tm4k2c": { provider: "local" } } };
  expect(() => parseSettings(value)).not.toThrow();
  expect(messageOf({ ...value, burst: bursting })).toContain(
    "the machine b-tm4k2c-1 of pools.b-tm4k2c would be named as a burst names its own",
  );
});

it("names the line of a burst pool that does not exist", () => {
  const text = [
    "config:",
    "  spillway:environment:",
    "    masters: { pool: m }",
    "    pools: { m: { provider: local } }",
    "    burst:",
    "      pools: { overflow: { provider: local } }",
    "      maxNodes: 4",
    "      budget: { perHour: 1 }",
    "      rules:",
    "        - when: { pendingFor: 2s }",
    "          use: [overflw]",
    "",
  ].join("\n");
  expect(messageOf(parse(text).config["spillway:environment"], text)).toBe(
    'burst.rules[0].use[0]: there is no burst pool "overflw". Did you mean "overflow"?  (line 11)',
  );
});

it("says what is missing, not what a program calls it", () => {
  expect(messageOf({ pools: good.pools })).toBe("masters: is missing");
  expect(messageOf({ ...good, masters: {} })).toBe("masters.pool: is missing: the node pool whose first machine carries the master");
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
  expect(examples.map((example) => Object.keys(parseSettings(example).pools))).toEqual([
    ["m"],
    ["rack"],
    ["m"],
    ["rack"],
    ["base", "back"],
    ["rack"],
    ["m", "base"],
  ]);
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

it("reads how upgrades go, and refuses a batch that is neither a number nor a share", () => {
  const upgrade = (written?: object) =>
    parseSettings({ masters: { pool: "m" }, pools: { m: { provider: "local" } }, ...(written === undefined ? {} : { upgrade: written }) })
      .upgrade;
  expect(upgrade()).toEqual({ canary: 1, batch: "25%", healthTimeoutMs: 60_000, autoRevert: true });
  expect(upgrade({ canary: 0, batch: 3, healthTimeout: "2m", autoRevert: false })).toEqual({
    canary: 0,
    batch: 3,
    healthTimeoutMs: 120_000,
    autoRevert: false,
  });
  for (const batch of ["0%", "101%", "a few", 0, 1.5]) expect(() => upgrade({ batch }), String(batch)).toThrow(/upgrade\.batch: /);
  expect(() => upgrade({ healthTimeout: "1s" })).toThrow(/upgrade\.healthTimeout: must be at least 5s/);
});

it("keeps of a host what is written for its own system, in any unit, and leaves the rest to be reckoned", () => {
  const hosts = [{ host: "192.0.2.11", trustOnFirstUse: true }];
  const reserveOf = (reserve?: object) =>
    systemReserves(
      wantedMachines(
        parseSettings({ masters: { pool: "rack" }, pools: { rack: { provider: "ssh", hosts, ...(reserve && { reserve }) } } }),
      ),
    );
  expect(Object.values(reserveOf())).toEqual([{}]);
  expect(Object.values(reserveOf({ cpu: "250m", memory: "1Gi", disk: "0Mi" }))).toEqual([{ cpu: 250, memory: 1024, disk: 0 }]);
  expect(() => reserveOf({ gpu: 1 })).toThrowError(expect.objectContaining({ code: "settings" }));
});
