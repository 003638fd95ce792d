import { hash, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { joinPool } from "./join.ts";
import { renewCertificate } from "./renew.ts";
import { type FakeMaster, fakeMaster } from "./testing/fake-master.ts";
import { testAuthority } from "./testing/test-authority.ts";

let master: FakeMaster;

beforeEach(async () => {
  master = await fakeMaster();
});
afterEach(() => master.close());

const readToken = async () => "the-token\n";

test("a machine joins with its own key, a token and a signing request", async () => {
  const config = await master.node("m1", { joined: false });
  expect(await joinPool({ config, force: false, readToken })).toContain("m1 has joined https://127.0.0.1:");
  expect(master.requests).toMatchObject([{ path: "/v1/join", body: { node: "m1", token: "the-token" } }]);
  expect((await master.authority.answer(master.requests[0]?.body.csr ?? "")).node).toBe("m1");
  expect(statSync(join(config.stateDir, "key.pem")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(config.stateDir, "cert.pem"), "utf8").match(/BEGIN CERTIFICATE/g)?.length).toBe(2);
});

test("a node that has joined does nothing and needs no token, unless it is forced", async () => {
  const config = await master.node("m1");
  const noToken = () => Promise.reject(new Error("not to be asked"));
  expect(await joinPool({ config, force: false, readToken: noToken })).toContain("has joined before");
  expect(master.requests).toEqual([]);
  await joinPool({ config, force: true, readToken });
  expect(master.requests.length).toBe(1);
});

test.each([
  ["expired", async () => master.authority.issue("m1", { from: -7_200_000, until: -3_600_000 })],
  ["made out to another node", async () => master.authority.issue("m2")],
  ["of another environment", async () => (await testAuthority()).issue("m1")],
])("a certificate that is %s is replaced", async (_, issue) => {
  const config = await master.node("m1", { joined: false });
  const { key, chain } = await issue();
  mkdirSync(config.stateDir, { recursive: true });
  writeFileSync(join(config.stateDir, "key.pem"), key);
  writeFileSync(join(config.stateDir, "cert.pem"), chain);
  expect(await joinPool({ config, force: false, readToken })).toContain("has joined https");
});

test("an attempt that died before the answer is repeated with the same key", async () => {
  const config = await master.node("m1", { joined: false });
  master.state.answer = async () => ({ status: 503, body: { error: { code: "not-now", message: "come again", hint: "later" } } });
  await expect(joinPool({ config, force: false, readToken })).rejects.toMatchObject({ code: "not-now", hint: "later", where: "m1" });
  const key = readFileSync(join(config.stateDir, "key.pem"), "utf8");
  expect(existsSync(join(config.stateDir, "cert.pem"))).toBe(false);
  master.state.answer = master.accept;
  await joinPool({ config, force: false, readToken });
  expect(readFileSync(join(config.stateDir, "key.pem"), "utf8")).toBe(key);
});

test("a certificate for another node is not accepted, and nothing is written", async () => {
  const config = await master.node("m1", { joined: false });
  master.state.answer = async () => ({ status: 200, body: { certificate: (await master.authority.issue("m1")).chain, expiresAt: 1 } });
  await expect(joinPool({ config, force: false, readToken })).rejects.toThrow("it belongs to another key");
  expect(existsSync(join(config.stateDir, "cert.pem"))).toBe(false);
});

test("without a token, or a master that can be reached, the error says so", async () => {
  const config = await master.node("m1", { joined: false });
  await expect(joinPool({ config, force: false, readToken: async () => " \n" })).rejects.toThrow("no join token came on stdin");
  const unreachable = joinPool({ config: { ...config, endpoint: "https://127.0.0.1:1" }, force: false, readToken });
  await expect(unreachable).rejects.toMatchObject({ code: "master-unreachable" });
});

test("a master whose certificate another CA signed never sees the token", async () => {
  const config = await master.node("m1", { joined: false });
  const caFile = join(config.stateDir, "other-ca.pem");
  writeFileSync(caFile, (await testAuthority()).ca);
  await expect(joinPool({ config: { ...config, caFile }, force: false, readToken })).rejects.toMatchObject({ code: "master-unreachable" });
  expect(master.requests).toEqual([]);
});

test("a token carries its CA's fingerprint, and is not shown to a master of another one", async () => {
  const config = await master.node("m1", { joined: false });
  const tokenOf = (ca: string) => async () => `secret.${hash("sha256", new X509Certificate(ca).raw)}`;
  const other = joinPool({ config, force: false, readToken: tokenOf((await testAuthority()).ca) });
  await expect(other).rejects.toMatchObject({ code: "wrong-ca" });
  expect(master.requests).toEqual([]);
  await joinPool({ config, force: false, readToken: tokenOf(master.authority.ca) });
  expect(master.requests.length).toBe(1);
});

test("a certificate is renewed over mTLS with the present one, for the same key", async () => {
  const config = await master.node("m1");
  const before = readFileSync(join(config.stateDir, "cert.pem"), "utf8");
  const key = readFileSync(join(config.stateDir, "key.pem"), "utf8");
  expect(await renewCertificate(config)).toContain("the certificate of m1 is good until");
  expect(master.requests).toMatchObject([{ path: "/v1/renew", peer: "m1" }]);
  expect(readFileSync(join(config.stateDir, "cert.pem"), "utf8")).not.toBe(before);
  expect(readFileSync(join(config.stateDir, "key.pem"), "utf8")).toBe(key);
});

test("a node that never joined has nothing to renew", async () => {
  const config = await master.node("m1", { joined: false });
  rmSync(config.stateDir, { recursive: true });
  await expect(renewCertificate(config)).rejects.toMatchObject({ code: "not-joined" });
});
