import { createHash, createHmac, randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { certificateLines, knownKey, parseKnownHosts } from "./known-hosts.ts";

const blob = (text: string) => Buffer.from(text).toString("base64");
const fingerprint = (text: string) => `SHA256:${createHash("sha256").update(text).digest("base64").replace(/=+$/, "")}`;
const known = (...lines: string[]) => parseKnownHosts("~/.ssh/known_hosts", `${lines.join("\n")}\n`);
const at = (host: string, port = 22) => ({ host, port });

/** As `ssh-keygen -H` writes a name. */
function hashed(name: string): string {
  const salt = randomBytes(20);
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
}

it("knows a host by its name, its address, a pattern, its port and a hashed name", () => {
  const file = known(
    "# a comment",
    `one.example.org,192.0.2.11 ssh-ed25519 ${blob("one")} root@one`,
    `[two.example.org]:2222 ssh-ed25519 ${blob("two")}`,
    `*.lab.example.org,!bad.lab.example.org ssh-ed25519 ${blob("lab")}`,
    `${hashed("three.example.org")} ssh-ed25519 ${blob("three")}`,
    `${hashed("[192.0.2.14]:2222")} ssh-ed25519 ${blob("four")}`,
    "not an entry",
  );
  expect(knownKey(file, at("one.example.org"))).toEqual({ key: fingerprint("one") });
  expect(knownKey(file, at("ONE.example.org"))).toEqual({ key: fingerprint("one") });
  expect(knownKey(file, at("192.0.2.11"))).toEqual({ key: fingerprint("one") });
  expect(knownKey(file, at("one.example.org", 2222))).toEqual({});
  expect(knownKey(file, at("two.example.org", 2222))).toEqual({ key: fingerprint("two") });
  expect(knownKey(file, at("two.example.org"))).toEqual({});
  expect(knownKey(file, at("x.lab.example.org"))).toEqual({ key: fingerprint("lab") });
  expect(knownKey(file, at("bad.lab.example.org"))).toEqual({});
  expect(knownKey(file, at("three.example.org"))).toEqual({ key: fingerprint("three") });
  expect(knownKey(file, at("192.0.2.14", 2222))).toEqual({ key: fingerprint("four") });
});

it("takes of several kinds of key the one that is preferred, and none that it does not speak", () => {
  const file = known(
    `h ssh-rsa ${blob("rsa")}`,
    `h ecdsa-sha2-nistp256 ${blob("ecdsa")}`,
    `h ssh-ed25519 ${blob("ed")}`,
    `old ssh-dss ${blob("dss")}`,
    `r ssh-rsa ${blob("rsa")}`,
  );
  expect(knownKey(file, at("h"))).toEqual({ key: fingerprint("ed") });
  expect(knownKey(file, at("r"))).toEqual({ key: fingerprint("rsa") });
  expect(knownKey(file, at("old"))).toEqual({});
});

it("takes neither of two keys of a kind, but one that stands there twice", () => {
  const file = known(
    `h ssh-ed25519 ${blob("a")}`,
    `h ssh-ed25519 ${blob("b")}`,
    `g ssh-ed25519 ${blob("a")}`,
    `g,x ssh-ed25519 ${blob("a")}`,
  );
  expect(knownKey(file, at("h")).problem).toContain("by two different ssh-ed25519 keys (lines 1 and 2)");
  expect(knownKey(file, at("g"))).toEqual({ key: fingerprint("a") });
});

it("refuses a revoked key, also one that is written elsewhere, and takes another that is not", () => {
  const file = known(
    `@revoked h ssh-ed25519 ${blob("stolen")}`,
    `h ssh-ed25519 ${blob("stolen")}`,
    `@revoked both ssh-ed25519 ${blob("stolen")}`,
    `both ssh-rsa ${blob("good")}`,
  );
  expect(knownKey(file, at("h")).problem).toContain("revoked by ~/.ssh/known_hosts, line 1");
  expect(knownKey(file, at("h"), fingerprint("stolen")).problem).toContain("is revoked by");
  expect(knownKey(file, at("h"), fingerprint("other"))).toEqual({});
  expect(knownKey(file, at("both"))).toEqual({ key: fingerprint("good") });
});

it("does not look at certificates, and can say so", () => {
  const file = known("", `@cert-authority *.example.org ssh-ed25519 ${blob("ca")}`, `h.example.org ssh-rsa ${blob("own")}`);
  expect(knownKey(file, at("h.example.org"))).toEqual({ key: fingerprint("own") });
  expect(knownKey(file, at("g.example.org"))).toEqual({});
  expect(certificateLines(file)).toEqual([2]);
});
