import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { joinReply, joinTokenReply } from "../../contract/api.ts";
import { bulkPath, controlPath } from "../../contract/wire.ts";
import { connectAgent, dial, type FakeIdentity, joinNode, opened } from "../testing/fake-agent.ts";
import { createSigningRequest } from "../testing/signing-request.ts";
import { type TestMaster, testMaster } from "../testing/test-master.ts";
import { until } from "../testing/until.ts";

describe("joining", () => {
  let master: TestMaster;
  beforeEach(async () => {
    master = await testMaster();
  });
  afterEach(() => master.end());

  const tokenOf = async (node: string) => joinTokenReply.parse((await master.call("POST", `/v1/nodes/${node}/join-token`)).body).token;
  const join = (node: string, token: string, csr: string) => master.call("POST", "/v1/join", { body: { node, token, csr }, token: null });
  const isLetIn = (identity: Partial<FakeIdentity>) => opened(dial(master, identity, controlPath));

  test("a declared node joins with its token and becomes ready when its agent says hello", async () => {
    await master.declare("m1");
    expect((await master.call("GET", "/v1/nodes/m1")).body.state).toBe("joining");
    const agent = await connectAgent(master, await joinNode(master, "m1"));
    expect(agent.received[0]).toMatchObject({ type: "welcome", wire: 1, heartbeatIntervalMs: 1000 });
    const view = (await master.call("GET", "/v1/nodes/m1")).body;
    expect(view).toMatchObject({ state: "ready", agentVersion: "0.1.0", bundle: "sha256:test", capacity: { cpu: 4000 } });
    expect((await master.events("node/m1")).map(({ kind }) => kind)).toEqual([
      "node-declared",
      "node-token-issued",
      "node-certified",
      "node-joined",
    ]);
  });

  test("the certificate is for clients, of seven days, and comes with its chain", async () => {
    await master.declare("m1");
    const { csr } = await createSigningRequest("m1");
    const reply = joinReply.parse((await join("m1", await tokenOf("m1"), csr)).body);
    expect(reply.certificate.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    const days = (reply.expiresAt - master.clock.now()) / 86_400_000;
    expect(days).toBeGreaterThan(6.99);
    expect(days).toBeLessThanOrEqual(7);
  });

  test("a token works once; the same key is answered again, since the answer may have been lost", async () => {
    await master.declare("m1");
    const token = await tokenOf("m1");
    const { csr } = await createSigningRequest("m1");
    const other = await createSigningRequest("m1");
    expect((await join("m1", token, csr)).status).toBe(200);
    expect((await join("m1", token, csr)).status).toBe(200);
    expect(await join("m1", token, other.csr)).toMatchObject({ status: 401, body: { error: { code: "bad-token" } } });
    await master.restart();
    expect((await join("m1", token, csr)).status).toBe(200);
    expect((await join("m1", token, other.csr)).status).toBe(401);
  });

  test("of two machines that use one token at once, exactly one joins", async () => {
    await master.declare("m1");
    const token = await tokenOf("m1");
    const requests = await Promise.all(Array.from({ length: 6 }, () => createSigningRequest("m1")));
    const answers = await Promise.all(requests.map(({ csr }) => join("m1", token, csr)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test("wrong, ended, replaced and other nodes' tokens get the same answer", async () => {
    await master.declare("m1");
    await master.declare("m2");
    const { csr } = await createSigningRequest("m1");
    const replaced = await tokenOf("m1");
    const token = await tokenOf("m1");
    const forOther = await tokenOf("m2");
    const answers = [await join("m1", "guess", csr), await join("m1", replaced, csr), await join("m1", forOther, csr)];
    await master.clock.advance(5 * 60_000 + 1);
    answers.push(await join("m1", token, csr));
    for (const answer of answers) expect(answer).toMatchObject({ status: 401, body: answers[0]?.body });
  });

  test("a request for another name, or none at all, spends no token", async () => {
    await master.declare("m1");
    const token = await tokenOf("m1");
    const other = await createSigningRequest("m2");
    expect(await join("m1", token, other.csr)).toMatchObject({ status: 400, body: { error: { code: "bad-csr" } } });
    expect((await join("m1", token, "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----")).status).toBe(400);
    expect((await join("m1", token, "garbage")).status).toBe(400);
    expect((await join("m1", token, (await createSigningRequest("m1")).csr)).status).toBe(200);
  });

  test("a token for an unknown node is not found, and the token itself is stored nowhere", async () => {
    expect((await master.call("POST", "/v1/nodes/m9/join-token")).status).toBe(404);
    await master.declare("m1");
    const token = await tokenOf("m1");
    expect(JSON.stringify(await master.events())).not.toContain(token);
  });

  test("without a certificate of this pool nobody is let in", async () => {
    await expect(isLetIn({})).rejects.toThrow("403");
    const elsewhere = await testMaster();
    try {
      await joinNode(elsewhere, "m1");
      await master.declare("m1");
      expect((await connectAgent(master, await joinNode(elsewhere, "m1"))).received[0]).toMatchObject({ type: "refused" });
    } finally {
      await elsewhere.end();
    }
  });

  test("a removed node is told to leave, and its certificate opens no connection any more, even when the name is declared anew", async () => {
    const identity = await joinNode(master, "m1");
    const agent = await connectAgent(master, identity);
    expect((await master.call("DELETE", "/v1/nodes/m1")).body).toEqual({ removed: true });
    await until("leave", () => agent.received.some(({ type }) => type === "leave"));
    // One that was away dials again, is told so, and gets rid of what it had.
    const late = await connectAgent(master, identity, { tasks: [{ taskId: "old.0.1", state: "succeeded" }] });
    await until("leave again", () => late.received.some(({ type }) => type === "leave"));
    await late.told("recorded", "old.0.1");
    late.report({ taskId: "old.0.2", state: "cancelled" });
    await late.told("recorded", "old.0.2");
    await expect(opened(dial(master, identity, bulkPath))).rejects.toThrow("403");
    await master.declare("m1");
    expect((await connectAgent(master, identity)).received[0]).toMatchObject({ type: "refused" });
    expect((await master.call("DELETE", "/v1/nodes/m9")).body).toEqual({ removed: false });
  });

  test("a node renews its certificate with the one it has, for itself only", async () => {
    const identity = await joinNode(master, "m1");
    const renew = (csr: string, client?: FakeIdentity) =>
      master.call("POST", "/v1/renew", { body: { csr }, token: null, ...(client === undefined ? {} : { client }) });
    const { csr, key } = await createSigningRequest("m1");
    expect((await renew(csr)).status).toBe(403);
    expect((await renew((await createSigningRequest("m2")).csr, identity)).status).toBe(400);
    const answer = await renew(csr, identity);
    expect(answer.status).toBe(200);
    await isLetIn(identity);
    await isLetIn({ node: "m1", key, certificate: answer.body.certificate });
  });

  test("joining anew with another key ends the old key", async () => {
    const first = await joinNode(master, "m1");
    const agent = await connectAgent(master, first);
    const bulk = dial(master, first, bulkPath);
    await opened(bulk);
    const second = await joinNode(master, "m1");
    await until("the old connection is closed", () => agent.closeCode !== undefined);
    await until("its bulk connection too", () => bulk.readyState === bulk.CLOSED);
    expect((await connectAgent(master, first)).received[0]).toMatchObject({ type: "refused" });
    await expect(opened(dial(master, first, bulkPath))).rejects.toThrow("403");
    await isLetIn(second);
  });

  test("an agent of another version of the messages is refused with the reason", async () => {
    const identity = await joinNode(master, "m1");
    const agent = await connectAgent(master, identity, { wire: 7 });
    expect(agent.received).toMatchObject([{ type: "refused", reason: expect.stringContaining("version 7") }]);
    const before = await connectAgent(master, identity, { wire: 0 });
    expect(before.received[0]).toMatchObject({ type: "welcome", wire: 0 });
  });

  test("a second connection of the same node replaces the first", async () => {
    const identity = await joinNode(master, "m1");
    const first = await connectAgent(master, identity);
    await connectAgent(master, identity);
    await until("the first is closed", () => first.closeCode === 4000);
    expect((await master.call("GET", "/v1/nodes/m1")).body.state).toBe("ready");
  });
});
