import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { inventory, listedHosts, machineOfHost } from "./inventory.ts";
import { parseKnownHosts } from "./known-hosts.ts";
import { parseSshConfig } from "./ssh-config.ts";

const pin = (text: string) => `SHA256:${createHash("sha256").update(text).digest("base64").replace(/=+$/, "")}`;
const sshConfig = parseSshConfig(
  "~/.ssh/config",
  "Host db1\n  HostName 192.0.2.31\n  User postgres\n  Port 2222\n  IdentityFile ~/.ssh/db\n  ProxyJump inner\nHost inner\n  ProxyJump outer\nHost outer\n  User gate\n",
  () => [],
);
const line = (name: string, key: string) => `${name} ssh-ed25519 ${Buffer.from(key).toString("base64")}`;
const knownHosts = parseKnownHosts(
  "~/.ssh/known_hosts",
  [line("[192.0.2.31]:2222", "db"), line("inner", "in"), line("outer", "out")].join("\n"),
);
const jump = { host: "192.0.2.1", port: 22, user: "root", hostKey: pin("j"), credential: { kind: "agent" } as const };

it("takes a range apart, each host by its own name", () => {
  const hosts = inventory("rack", { hosts: [{ host: "node[01-03].example.org", site: "berlin" }, { host: "x" }] }, {});
  expect(hosts.map(({ name, host, site }) => [name, host, site])).toEqual([
    ["rack-node01", "node01.example.org", "berlin"],
    ["rack-node02", "node02.example.org", "berlin"],
    ["rack-node03", "node03.example.org", "berlin"],
    ["rack-x", "x", undefined],
  ]);
});

it("refuses for a range what can hold for one host only", () => {
  const listed = listedHosts("rack", { hosts: [{ host: "a" }, { host: "n[1-2]", name: "n", hostKey: pin("n") }] }, {});
  expect(listed.map(({ entry, problems }) => [entry, problems.map(({ key }) => key)])).toEqual([
    [0, []],
    [1, ["name", "hostKey"]],
    [1, ["name", "hostKey"]],
  ]);
});

it("fills in from OpenSSH's files what the settings leave out, with every hop and its key", () => {
  const [db1] = inventory("rack", { sshConfig, knownHosts, hosts: [{ host: "db1" }] }, {});
  expect(db1).toMatchObject({
    name: "rack-db1",
    host: "192.0.2.31",
    port: 2222,
    user: "postgres",
    hostKey: pin("db"),
    credential: { kind: "file", path: "~/.ssh/db" },
    jump: { host: "inner", hostKey: pin("in"), user: "root", jump: { host: "outer", hostKey: pin("out"), user: "gate" } },
  });
});

it("lets the settings win", () => {
  const written = { user: "ops", hostKey: pin("own"), jump: "bastion", port: 22, key: { kind: "agent" } as const };
  const [db1] = inventory("rack", { sshConfig, knownHosts, hosts: [{ host: "db1", ...written }] }, { bastion: jump });
  expect(db1).toMatchObject({ host: "192.0.2.31", port: 22, user: "ops", hostKey: pin("own"), credential: { kind: "agent" }, jump });
  const [byName] = inventory("rack", { sshConfig, knownHosts, hosts: [{ host: "db1" }] }, { inner: jump });
  expect(byName?.jump).toEqual(jump);
});

it("refuses a jump host of ProxyJump whose key nobody knows", () => {
  const [db1] = listedHosts("rack", { sshConfig, hosts: [{ host: "db1", hostKey: pin("db") }] }, {});
  expect(db1?.problems).toEqual([{ key: "host", sentence: expect.stringContaining("the host key of its jump host inner") }]);
  expect(db1?.problems[0]?.sentence).toContain("or write knownHosts: true");
});

it("refuses a ProxyJump that goes round", () => {
  const round = parseSshConfig("~/.ssh/config", "Host a\n ProxyJump b\nHost b\n ProxyJump c\nHost c\n ProxyJump b\n", () => []);
  const all = parseKnownHosts("~/.ssh/known_hosts", [line("b", "b"), line("c", "c")].join("\n"));
  const [one] = listedHosts("rack", { sshConfig: round, knownHosts: all, hosts: [{ host: "a" }] }, {});
  expect(one?.problems.map(({ sentence }) => sentence)).toEqual(["ProxyJump in ~/.ssh/config goes round: b → c → b"]);
});

it("builds a chain of the settings' jump hosts, also of one that goes round, which is refused elsewhere", () => {
  const jumps = {
    outer: { ...jump, host: "o", jump: "inner" },
    inner: { ...jump, host: "i", jump: "outer" },
    plain: { ...jump, jump: "last" },
    last: jump,
  };
  const chain = (name: string) => inventory("rack", { hosts: [{ host: "h", jump: name }] }, jumps)[0]?.jump;
  expect(chain("plain")).toEqual({ ...jump, jump });
  expect(chain("outer")).toMatchObject({ host: "o", jump: { host: "i" } });
});

it("says what is asked for, so that one answer does for all that want the same", () => {
  const written = {
    user: "ops",
    key: { kind: "file", path: "~/.ssh/id" } as const,
    keyPassphrase: { kind: "ask" } as const,
    sudoPassword: { kind: "ask" } as const,
    hosts: [
      { host: "a" },
      { host: "b", sudoPassword: { kind: "ask" } as const },
      { host: "c", key: { kind: "file", path: "~/.ssh/other" } as const },
    ],
  };
  const hosts = inventory("rack", written, {});
  expect(hosts.map(({ sudoPassword }) => sudoPassword)).toEqual([
    { kind: "ask", what: "the sudo password of ops on the hosts of pool rack" },
    { kind: "ask", what: "the sudo password of ops on rack-b" },
    { kind: "ask", what: "the sudo password of ops on the hosts of pool rack" },
  ]);
  expect(hosts[0]?.credential).toEqual({
    kind: "file",
    path: "~/.ssh/id",
    passphrase: { kind: "ask", what: "the passphrase of ~/.ssh/id" },
  });
  // The pool's passphrase is that of the pool's key.
  expect(hosts[2]?.credential).toEqual({ kind: "file", path: "~/.ssh/other" });
});

it("refuses a passphrase for the agent's keys and a sudo password for root", () => {
  const [one] = listedHosts("rack", { keyPassphrase: { kind: "ask" }, sudoPassword: { kind: "ask" }, hosts: [{ host: "a" }] }, {});
  expect(one?.problems.map(({ key }) => key)).toEqual(["keyPassphrase", "sudoPassword"]);
  const [mixed] = listedHosts("rack", { user: "ops", sudoPassword: { kind: "ask" }, hosts: [{ host: "a", user: "root" }] }, {});
  expect(mixed).toMatchObject({ problems: [], host: { sudoPassword: undefined } });
});

it("hands the references on to the machine, and the time to connect", () => {
  const [host] = inventory(
    "rack",
    { user: "ops", connectTimeout: 5000, sudoPassword: { kind: "env", name: "X" }, hosts: [{ host: "a" }] },
    {},
  );
  if (host === undefined) throw new Error("no host");
  expect(machineOfHost("rack", host, {})).toMatchObject({ connectTimeoutMs: 5000, sudoPassword: { kind: "env", name: "X" } });
});
