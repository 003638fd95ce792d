import { expect, it } from "vitest";
import { parseSshConfig } from "./ssh-config.ts";

const file = "~/.ssh/config";
const config = (text: string, included: Record<string, string> = {}) =>
  parseSshConfig(file, text, (pattern) => (included[pattern] === undefined ? [] : [{ path: pattern, text: included[pattern] }]));

it("tells what OpenSSH would take for a host: the first word on each counts", () => {
  const { of } = config(`
Host db1
  HostName 192.0.2.31
  Port 2222
Host db*
  user postgres
  IdentityFile "~/.ssh/id db"
  IdentityFile ~/.ssh/second
  HostKeyAlias databases
Host *
  User ops
  Port 22
`);
  expect(of("db1")).toEqual({
    host: "192.0.2.31",
    port: 2222,
    user: "postgres",
    key: "~/.ssh/id db",
    knownAs: "databases",
    problems: [],
  });
  expect(of("web1")).toEqual({ user: "ops", port: 22, problems: [] });
});

it("reads chains of jump hosts, and that there is to be none", () => {
  const { of } = config(
    "Host a\n  ProxyJump ops@outer:2222,inner,[2001:db8::1]:22\nHost b\n  ProxyJump none\nHost *\n  ProxyJump bastion\n",
  );
  expect(of("a").jump).toEqual([{ host: "outer", user: "ops", port: 2222 }, { host: "inner" }, { host: "2001:db8::1", port: 22 }]);
  expect(of("b").jump).toEqual([]);
  expect(of("c").jump).toEqual([{ host: "bastion" }]);
});

it("puts in %h, and takes a public key for one of the agent's", () => {
  const { of } = config("Host short\n  HostName %h.example.org\n  IdentityFile ~/.ssh/id.pub\n");
  expect(of("short")).toMatchObject({ host: "short.example.org", key: "agent" });
});

it("says what it can't do as it is said there", () => {
  const { of } = config("Host a\n  ProxyCommand nc %h %p\nHost b\n  IdentityFile keys/b\nHost c\n ProxyCommand none\n");
  expect(of("a").problems).toEqual([expect.stringContaining("ProxyCommand, which is not run")]);
  expect(of("b").problems).toEqual([expect.stringContaining('the key "keys/b"')]);
  expect(of("c").problems).toEqual([]);
});

it("runs nothing for Match exec, which never holds", () => {
  const marker = `/tmp/spillway-match-exec-${process.pid}`;
  const { of } = config(`Match exec "touch ${marker}"\n  User hacked\nMatch host a\n  User matched\n`);
  expect(of("a").user).toBe("matched");
  expect(of("b").user).toBeUndefined();
});

it("reads what is included in its place, and goes on with the block around it", () => {
  const { of } = config("Include hosts.d/*\nUser everyone\nHost a\n  Port 2222\n  Include keys\n  HostName 192.0.2.1\n", {
    "hosts.d/*": "Host a\n  User first\n",
    keys: "IdentityFile ~/.ssh/a\n",
  });
  expect(of("a")).toMatchObject({ user: "first", port: 2222, key: "~/.ssh/a", host: "192.0.2.1" });
  expect(of("b")).toMatchObject({ user: "everyone" });
  expect(of("b").key).toBeUndefined();
});

it("refuses what includes itself, blocks within a block, and what is no configuration", () => {
  expect(() => config("Include me\n", { me: "Include me\n" })).toThrow("goes round");
  expect(() => config("Host a\n  Include me\n", { me: "Host b\n" })).toThrow('stands within "Host a"');
  expect(() => config('Host a\n  User "x\n')).toThrow(file);
});
