import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Client, createClient } from "../../agent/contract/client.ts";
import { joinedAgent } from "../../agent/master/testing/fake-agent.ts";
import { type TestMaster, testMaster } from "../../agent/master/testing/test-master.ts";
import { awaitJoined } from "./await-joined.ts";
import { giveBundle } from "./give-bundle.ts";
import { machineSeed } from "./resources/machine-seed.ts";

let master: TestMaster;
beforeEach(async () => {
  master = await testMaster();
});
afterEach(() => master.end());

const access = () => ({ endpoint: `https://127.0.0.1:${master.port}`, caCert: master.ca, adminToken: "test-admin-token" });
const context = { status: () => {}, log: () => {}, sentence: () => {}, signal: new AbortController().signal };
const spec = (connectTimeoutMs: number) => ({ ...access(), machine: { name: "m1", connectTimeoutMs } });
const tokenFor = async (node: string): Promise<string> =>
  (await master.call("POST", "/v1/join-tokens", { body: { node, lifeMs: 60_000 } })).body.token;

describe("waiting for a machine that makes itself a node", () => {
  test("ends when it is ready, whatever bundle it runs", async () => {
    await joinedAgent(master, "m1");
    await awaitJoined(spec(5000), context);
  });

  test("ends at once when it says why it can't, with its words", async () => {
    await master.declare("m1");
    const token = await tokenFor("m1");
    await master.call("POST", "/v1/join-problem", {
      body: { node: "m1", token, problem: "its systemd is 239; 247 or newer is needed" },
      token: null,
    });
    await expect(awaitJoined(spec(60_000), context)).rejects.toMatchObject({
      code: "join-refused",
      where: "node m1",
      message: expect.stringContaining("its systemd is 239"),
    });
  });

  test("ends with its time when nothing is heard of it", async () => {
    await master.declare("m1");
    await tokenFor("m1");
    await expect(awaitJoined(spec(50), context)).rejects.toMatchObject({
      code: "not-joined",
      hint: expect.stringContaining("console"),
      message: expect.stringContaining("it is joining"),
    });
  });
});

describe("what a machine was born with", () => {
  const state = () => ({
    ...access(),
    name: "m1",
    user: "spillway",
    authorizedKeys: [],
    userData: "#cloud-config",
    hostKey: "",
    health: "ok" as const,
    join: { cloud: "aws" as const, arch: "x64" as const, environment: "test", environmentId: "e", lifeMs: 60_000 },
  });
  const health = async () => (await machineSeed.read("m1", state(), context))?.health;

  test("is stale when its token is spent or has ended and no node has come of it", async () => {
    expect(await health()).toBe("stale");
    await tokenFor("m1");
    expect(await health()).toBe("ok");
    await master.clock.advance(60_001);
    expect(await health()).toBe("stale");
    const agent = await joinedAgent(master, "m1");
    expect(await health()).toBe("ok");
    agent.cut();
    await master.clock.advance(120_000);
    expect(await health()).toBe("stale");
  });

  test("is left as it is while no master answers, and where somebody connects", async () => {
    await master.end();
    expect(await health()).toBe("ok");
    expect(machineSeed.needsMending?.(state())).toBe(false);
    const { join: _, ...overSsh } = state();
    expect(await machineSeed.read("m1", overSsh, context)).toEqual({ userData: "#cloud-config", hostKey: "", health: "ok" });
  });

  test("over SSH is a seed key and a login, as before, and a key that may log in has to be named", async () => {
    const made = await machineSeed.create({ name: "m1", user: "spillway", authorizedKeys: ["ssh-ed25519 AAAA ops"] }, context);
    expect(made.outputs).toMatchObject({ hostKey: expect.stringMatching(/^SHA256:/), health: "ok" });
    expect(made.outputs.userData).toContain("ssh-ed25519 AAAA ops");
    await expect(machineSeed.create({ name: "m1", user: "spillway", authorizedKeys: [] }, context)).rejects.toThrow("needs a key");
  });
});

describe("giving the master a bundle", () => {
  test("takes as many requests as it has pieces, and one when it is there; two at once help each other", async () => {
    const directory = mkdtempSync(join(tmpdir(), "spillway-give-"));
    const client = createClient({ url: access().endpoint, ca: master.ca, token: "test-admin-token" });
    try {
      const content = randomBytes(1_600_000);
      const tarball = join(directory, "bundle.tar.gz");
      writeFileSync(tarball, content);
      const sha256 = createHash("sha256").update(content).digest("hex");
      const bundle = { digest: "b".repeat(64), tarball, compression: "gzip" as const, bytes: content.length, sha256 };
      let calls = 0;
      const call = async <T>(act: (to: Client) => Promise<T>): Promise<T> => {
        calls += 1;
        return await act(client);
      };
      await Promise.all([giveBundle(bundle, { call }), giveBundle(bundle, { call })]);
      calls = 0;
      await giveBundle(bundle, { call });
      expect(calls).toBe(1);
      await expect(giveBundle({ ...bundle, compression: "zstd" }, { call })).rejects.toThrow("gzip");
      const stopped = AbortSignal.abort();
      await expect(giveBundle({ ...bundle, digest: "c".repeat(64) }, { call, signal: stopped })).rejects.toMatchObject({
        code: "cancelled",
      });
    } finally {
      client.dispose();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
