import { createHash, X509Certificate } from "node:crypto";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { proofNonce } from "../../contract/instance-identity.ts";
import { awsProof, azureProof, azureTime, type CloudAuthority, cloudAuthority } from "../testing/cloud-authority.ts";
import { createSigningRequest } from "../testing/signing-request.ts";
import { type TestMaster, testMaster } from "../testing/test-master.ts";
import { readSigningRequest } from "./certificates.ts";

let aws: CloudAuthority;
let root: CloudAuthority;
let azure: CloudAuthority;
let master: TestMaster;

beforeAll(async () => {
  [aws, root] = await Promise.all([cloudAuthority({ name: "CN=pretend aws" }), cloudAuthority({ name: "CN=pretend root", isCa: true })]);
  azure = await cloudAuthority({ name: "CN=metadata.azure.com", issuer: root });
});
beforeEach(async () => {
  master = await testMaster({ config: { identityAuthorities: [aws.certificate, root.certificate] } });
});
afterEach(() => master.end());

const tokenFor = async (node: string, lifeMs = 600_000): Promise<string> =>
  (await master.call("POST", "/v1/join-tokens", { body: { node, lifeMs } })).body.token;
const join = (node: string, token: string, csr: string, proof?: unknown) =>
  master.call("POST", "/v1/join", { body: { node, token, csr, proof }, token: null });
const declared = (name: string, providerId: string) => master.declare(name, { provider: "aws", providerId });
const kinds = async (node: string) => (await master.events(`node/${node}`)).map(({ kind }) => kind);

describe("a token that a machine is born with", () => {
  test("lets in the instance that its node was declared as, and says which CA is meant", async () => {
    const token = await tokenFor("m1");
    const { csr } = await createSigningRequest("m1");
    await declared("m1", "i-0abc");
    expect((await join("m1", token, csr, await awsProof(aws, { instanceId: "i-0abc" }))).status).toBe(200);
    expect(await kinds("m1")).toEqual(["node-token-issued", "node-declared", "node-certified"]);
    expect(token.split(".").at(-1)).toBe(createHash("sha256").update(new X509Certificate(master.ca).raw).digest("hex"));
  });

  test("is good before its node is declared, and is answered `not yet` until then", async () => {
    const token = await tokenFor("m1");
    const { csr } = await createSigningRequest("m1");
    const proof = await awsProof(aws, { instanceId: "i-0abc" });
    expect(await join("m1", token, csr, proof)).toMatchObject({ status: 425, body: { error: { code: "not-yet" } } });
    await master.restart();
    expect((await join("m1", token, csr, proof)).status).toBe(425);
    await declared("m1", "i-0abc");
    expect((await join("m1", token, csr, proof)).status).toBe(200);
  });

  test("sent by another instance, or as another cloud's, is refused, told as an event, and not spent", async () => {
    const token = await tokenFor("m1");
    const { csr } = await createSigningRequest("m1");
    await declared("m1", "i-0abc");
    const thief = await createSigningRequest("m1");
    const refused = await join("m1", token, thief.csr, await awsProof(aws, { instanceId: "i-0bad" }));
    expect(refused).toMatchObject({ status: 403, body: { error: { code: "wrong-instance", message: expect.stringContaining("i-0bad") } } });
    const told = (await master.events("node/m1")).find(({ kind }) => kind === "node-join-refused");
    expect(told?.message).toContain("i-0bad");
    expect((await join("m1", token, csr, await awsProof(aws, { instanceId: "i-0abc" }))).status).toBe(200);
  });

  test("with no proof, or a forged one, is refused and told as an event", async () => {
    const token = await tokenFor("m1");
    const { csr } = await createSigningRequest("m1");
    await declared("m1", "i-0abc");
    const proof = await awsProof(root, { instanceId: "i-0abc" });
    const forged = { ...proof, document: proof.document.replace("0abc", "0abd") };
    for (const wrong of [undefined, forged]) {
      expect(await join("m1", token, csr, wrong)).toMatchObject({ status: 403, body: { error: { code: "bad-instance-proof" } } });
    }
    expect((await kinds("m1")).filter((kind) => kind === "node-join-refused")).toHaveLength(2);
  });

  test("works once: the same key is answered again, another one is refused and told", async () => {
    const token = await tokenFor("m1");
    const { csr } = await createSigningRequest("m1");
    await declared("m1", "i-0abc");
    const proof = await awsProof(aws, { instanceId: "i-0abc" });
    expect((await join("m1", token, csr, proof)).status).toBe(200);
    expect((await join("m1", token, csr, proof)).status).toBe(200);
    const other = await createSigningRequest("m1");
    expect(await join("m1", token, other.csr, proof)).toMatchObject({ status: 401, body: { error: { code: "bad-token" } } });
    expect(await kinds("m1")).toContain("node-join-refused");
  });

  test("ends with its time, and with a newer one", async () => {
    const { csr } = await createSigningRequest("m1");
    await declared("m1", "i-0abc");
    const proof = await awsProof(aws, { instanceId: "i-0abc" });
    const replaced = await tokenFor("m1");
    const token = await tokenFor("m1", 60_000);
    expect((await join("m1", replaced, csr, proof)).status).toBe(401);
    await master.clock.advance(60_001);
    expect((await join("m1", token, csr, proof)).status).toBe(401);
  });

  test("of a machine of Azure counts with its vmId, and attested data made for this very token and key", async () => {
    const vmId = "02AAB8A4-74ef-476e-8182-f6d2ba4166a6";
    const token = await tokenFor("m1");
    const { csr } = await createSigningRequest("m1");
    const { keySha256 } = await readSigningRequest(csr);
    await master.declare("m1", { provider: "azure", providerId: "/subscriptions/s/…/m1", attributes: { vmId: vmId.toLowerCase() } });
    const expiresOn = azureTime(master.clock.now() + 3_600_000);
    const replayed = await azureProof(azure, { vmId, nonce: proofNonce(token, "another key"), expiresOn });
    expect(await join("m1", token, csr, replayed)).toMatchObject({ status: 403, body: { error: { code: "bad-instance-proof" } } });
    const elsewhere = await azureProof(azure, { vmId: "another", nonce: proofNonce(token, keySha256), expiresOn });
    expect(await join("m1", token, csr, elsewhere)).toMatchObject({ status: 403, body: { error: { code: "wrong-instance" } } });
    const proof = await azureProof(azure, { vmId, nonce: proofNonce(token, keySha256), expiresOn });
    expect((await join("m1", token, csr, proof)).status).toBe(200);
  });

  test("is asked for by the admin only, for what can be a node", async () => {
    const body = { node: "m1", lifeMs: 600_000 };
    expect((await master.call("POST", "/v1/join-tokens", { body, token: null })).status).toBe(401);
    expect((await master.call("POST", "/v1/join-tokens", { body: { ...body, node: "M 1" } })).status).toBe(400);
    expect((await master.call("POST", "/v1/join-tokens", { body: { ...body, lifeMs: 1e9 } })).status).toBe(400);
  });

  test("that needs no proof is not what a machine is born with", async () => {
    await declared("m1", "i-0abc");
    const { token } = (await master.call("POST", "/v1/nodes/m1/join-token")).body;
    const { csr } = await createSigningRequest("m1");
    expect(await master.call("POST", "/v1/join-problem", { body: { node: "m1", token, problem: "x" }, token: null })).toMatchObject({
      status: 401,
    });
    expect((await join("m1", token, csr)).status).toBe(200);
  });
});

describe("a machine that can't take the agent", () => {
  const report = (node: string, token: string, problem: string) =>
    master.call("POST", "/v1/join-problem", { body: { node, token, problem }, token: null });

  test("says so with its token, which tells the operator and whoever waits for the node", async () => {
    const token = await tokenFor("m1");
    expect(await master.call("GET", "/v1/join-tokens/m1")).toMatchObject({ status: 200, body: { used: false } });
    const sentence = "its C library is musl; the bundle's Node needs glibc";
    expect((await report("m1", token, sentence)).status).toBe(200);
    expect((await report("m1", token, sentence)).status).toBe(200);
    await master.restart();
    expect((await master.call("GET", "/v1/join-tokens/m1")).body).toMatchObject({ used: false, problem: sentence });
    const told = (await master.events("node/m1")).filter(({ kind }) => kind === "node-join-problem");
    expect(told.map(({ message }) => message)).toEqual([`The machine of node m1 can't take the agent, by its own word: ${sentence}`]);
  });

  test("is forgotten when it joins after all, and heard again when its agent does not start", async () => {
    const token = await tokenFor("m1");
    await declared("m1", "i-0abc");
    await report("m1", token, "its clock is 40.0 s behind the master's");
    const { csr } = await createSigningRequest("m1");
    await join("m1", token, csr, await awsProof(aws, { instanceId: "i-0abc" }));
    const { body } = await master.call("GET", "/v1/join-tokens/m1");
    expect(body).toMatchObject({ used: true });
    expect(body.problem).toBeUndefined();
    expect((await report("m1", token, "could not start the agent")).status).toBe(200);
    expect((await master.call("GET", "/v1/join-tokens/m1")).body).toMatchObject({ used: true, problem: "could not start the agent" });
  });

  test("is not heard with another node's token or a guess, nor without end", async () => {
    const token = await tokenFor("m1");
    expect((await report("m2", token, "x")).status).toBe(401);
    expect((await report("m1", "guess", "x")).status).toBe(401);
    for (let n = 0; n < 30; n++) await report("m1", token, `again ${n}`);
    expect((await kinds("m1")).filter((kind) => kind === "node-join-problem")).toHaveLength(20);
  });

  test("has no state without a token", async () => {
    expect((await master.call("GET", "/v1/join-tokens/m1")).status).toBe(404);
    expect((await master.call("GET", "/v1/join-tokens/m1", { token: null })).status).toBe(401);
  });
});
