import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { parseSettings } from "./settings.ts";
import { spareHosts, wantedMachines } from "./wanted-machines.ts";

const pin = `SHA256:${"A".repeat(43)}`;
const other = Buffer.from("a key of the host").toString("base64");
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-hosts-"));
  writeFileSync(join(directory, "config"), "Include more.conf\nHost db1\n  HostName 192.0.2.31\n  User postgres\n");
  writeFileSync(join(directory, "known_hosts"), `192.0.2.31 ssh-ed25519 ${other}\n@revoked old ssh-ed25519 ${other}\n`);
});
afterAll(() => rmSync(directory, { recursive: true }));

const rack = (over: object, hosts: object[] = [{ host: "192.0.2.11", hostKey: pin }], more: object = {}) => ({
  masters: { pool: "rack" },
  pools: { rack: { provider: "ssh", hosts, ...over } },
  ...more,
});
const bursting = (over: object) => ({
  burst: {
    pools: { spare: { provider: "ssh", cpu: 4, memory: "8Gi", hosts: [{ host: "s", hostKey: pin }], user: "ops", ...over } },
    maxNodes: 4,
    budget: { perHour: 1 },
  },
});

function messageOf(value: unknown): string {
  try {
    parseSettings(value);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("it was accepted");
}

it("makes a machine of each host of a range", () => {
  const settings = parseSettings(rack({}, [{ host: "node[1-3].example.org", trustOnFirstUse: true }]));
  expect(wantedMachines(settings).map(({ name }) => name)).toEqual(["rack-node1", "rack-node2", "rack-node3"]);
});

it("reads OpenSSH's files while it reads the settings, for spare hosts too", () => {
  const files = { sshConfig: join(directory, "config"), knownHosts: join(directory, "known_hosts") };
  const settings = parseSettings(
    rack(files, [{ host: "db1" }], bursting({ ...files, hosts: [{ host: "db1", port: 2222, hostKey: pin }] })),
  );
  const filled = { host: "192.0.2.31", user: "postgres", hostKey: expect.stringMatching(/^SHA256:/) };
  expect(wantedMachines(settings)).toMatchObject([{ name: "rack-db1", host: filled }]);
  expect(spareHosts(settings)).toMatchObject([{ name: "spare-db1", host: { ...filled, user: "ops", hostKey: pin } }]);
});

it("reads the files of whoever runs it where only true is written", () => {
  vi.stubEnv("HOME", "/nowhere");
  expect(messageOf(rack({ sshConfig: true, knownHosts: true }))).toMatch(
    /pools\.rack\.sshConfig: ~\/\.ssh\/config can't be read: ENOENT.*\npools\.rack\.knownHosts: ~\/\.ssh\/known_hosts can't be read/,
  );
  vi.unstubAllEnvs();
});

const secretHint = "is no place for the secret itself: write ask, env:NAME (an environment variable) or file:~/PATH (its first line)";
it.each([
  [rack({ user: "ops", sudoPassword: "hunter2" }), `pools.rack.sudoPassword: ${secretHint}`],
  [rack({ key: "~/k", keyPassphrase: "env:NOT A NAME" }), `pools.rack.keyPassphrase: ${secretHint}`],
  [rack({ keyPassphrase: "ask" }), "pools.rack.keyPassphrase: is for a key file, and its key is the ssh-agent"],
  [rack({ sudoPassword: "ask" }), "pools.rack.sudoPassword: is for a user who becomes root by sudo, and its user is root"],
  [rack({}, [{ host: "n[1-3]", hostKey: pin }]), `pools.rack.hosts[0].hostKey: can't hold for all hosts of "n[1-3]"`],
  [rack({}, [{ host: "n[1-3]", name: "n" }]), `pools.rack.hosts[0].name: can't hold for all hosts of "n[1-3]"`],
  [rack({}, [{ host: "n[3-1]" }]), 'pools.rack.hosts[0].host: "n[3-1]": [3-1] ends before it begins'],
  [rack({}, [{ host: "n_[1-2]_" }]), "pools.rack.hosts[0].host: write a host name or an address"],
  [rack({}, [{ host: "n[1-3]" }, { host: "n2" }]), "pools.rack.hosts[1].host: n2:22 stands in pools.rack.hosts[0] already"],
  [rack({ sshConfig: "config" }), "pools.rack.sshConfig: write true, or a path"],
  [rack({ connectTimeout: 5 }), 'pools.rack.connectTimeout: "5" is not a duration'],
  [
    rack({ jump: "a" }, undefined, { jumps: { a: { host: "a", hostKey: pin, jump: "b" }, b: { host: "b", hostKey: pin, jump: "a" } } }),
    "jumps.a.jump: goes round: a → b → a",
  ],
  [rack({}, undefined, { jumps: { a: { host: "a", hostKey: pin, jump: "c" } } }), 'jumps.a.jump: there is no jump host "c"'],
  [rack({}, undefined, { jumps: { a: { host: "a", hostKey: pin, keyPassphrase: "ask" } } }), "jumps.a.keyPassphrase: is for a key file"],
  [rack({}, undefined, bursting({ sudoPassword: "ask" })), "burst.pools.spare.sudoPassword: must be file:~/PATH for spare hosts"],
  [
    rack({}, undefined, bursting({ key: "~/k", keyPassphrase: "env:X" })),
    "burst.pools.spare.keyPassphrase: must be file:~/PATH for spare hosts",
  ],
])("refuses %j", (value, sentence) => {
  expect(messageOf(value)).toContain(sentence);
});

it("tells once what holds for many hosts, and never a secret that was written by mistake", () => {
  expect(messageOf(rack({ sudoPassword: "ask" }, [{ host: "n[1-9]", hostKey: undefined }])).split("\n")).toHaveLength(1);
  expect(messageOf(rack({ user: "ops", sudoPassword: "hunter2" }))).not.toContain("hunter2");
});

it("refuses a host whose key is revoked, and one that is known by two", () => {
  const knownHosts = join(directory, "known_hosts");
  expect(messageOf(rack({ knownHosts }, [{ host: "old" }]))).toMatch(
    /pools\.rack\.hosts\[0\]\.host: its host key is revoked by .*, line 2/,
  );
});

it("lets spare hosts have their secrets in files", () => {
  const settings = parseSettings(rack({}, undefined, bursting({ key: "~/k", keyPassphrase: "file:~/p", sudoPassword: "file:/run/s" })));
  expect(spareHosts(settings)).toMatchObject([
    { host: { credential: { passphrase: { kind: "file", path: "~/p" } }, sudoPassword: { kind: "file", path: "/run/s" } } },
  ]);
});
