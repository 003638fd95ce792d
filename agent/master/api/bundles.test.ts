import { createHash, randomBytes } from "node:crypto";
import { readdirSync, utimesSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { joinNode } from "../testing/fake-agent.ts";
import { type TestMaster, testMaster } from "../testing/test-master.ts";

let master: TestMaster;
beforeEach(async () => {
  master = await testMaster();
});
afterEach(() => master.end());

const tarball = randomBytes(300_000);
const sha256 = createHash("sha256").update(tarball).digest("hex");
const digest = "a".repeat(64);
const put = (offset: number, data: Buffer, more: Record<string, unknown> = {}, path = digest) =>
  master.call("PUT", `/v1/bundles/${path}`, { body: { bytes: tarball.length, sha256, offset, data: data.toString("base64"), ...more } });

interface Fetched {
  readonly status: number;
  readonly bytes: Buffer;
  readonly range: string | undefined;
}

function fetchBundle(headers: Record<string, string>, client: { key?: string; cert?: string } = {}, path = digest): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const url = {
      host: "127.0.0.1",
      port: master.port,
      path: `/v1/bundles/${path}`,
      ca: master.ca,
      servername: "localhost",
      agent: false,
    } as const;
    request({ ...url, ...client, headers }, (response) => {
      void buffer(response).then(
        (bytes) => resolve({ status: response.statusCode ?? 0, bytes, range: response.headers["content-range"] }),
        reject,
      );
    })
      .on("error", reject)
      .end();
  });
}
const admin = { authorization: "Bearer test-admin-token" };

test("a bundle comes in pieces, goes on after a break and a restart, and is handed out in whole or from an offset", async () => {
  expect((await put(0, Buffer.alloc(0))).body).toEqual({ have: 0, complete: false });
  expect((await put(0, tarball.subarray(0, 100_000))).body).toEqual({ have: 100_000, complete: false });
  await master.restart();
  expect((await fetchBundle(admin)).status).toBe(404);
  expect((await put(0, Buffer.alloc(0))).body).toEqual({ have: 100_000, complete: false });
  expect((await put(100_000, tarball.subarray(100_000))).body).toEqual({ have: 300_000, complete: true });
  expect((await put(0, Buffer.alloc(0))).body).toEqual({ have: 300_000, complete: true });
  expect((await fetchBundle(admin)).bytes.equals(tarball)).toBe(true);
  const rest = await fetchBundle({ ...admin, range: "bytes=299000-" });
  expect(rest).toMatchObject({ status: 206, range: "bytes 299000-299999/300000" });
  expect(rest.bytes.equals(tarball.subarray(299_000))).toBe(true);
  expect((await fetchBundle({ ...admin, range: "bytes=300000-" })).status).toBe(416);
});

test("a piece out of place is refused, and two uploads at once leave one whole bundle", async () => {
  expect(await put(5, tarball)).toMatchObject({ status: 409, body: { error: { code: "piece-misplaced" } } });
  expect(await put(0, Buffer.concat([tarball, tarball]))).toMatchObject({ status: 409 });
  const both = await Promise.all([put(0, tarball), put(0, tarball)]);
  expect(both.map(({ status }) => status)).toEqual([200, 200]);
  expect(readdirSync(join(master.config.stateDir, "bundles"))).toEqual([`${digest}.tar.gz`]);
});

test("what is not what was announced is thrown away", async () => {
  const other = Buffer.from(tarball);
  other[7] = (other[7] ?? 0) ^ 1;
  expect(await put(0, other)).toMatchObject({ status: 422, body: { error: { code: "bundle-broken" } } });
  expect((await fetchBundle(admin)).status).toBe(404);
  expect((await put(0, tarball)).body).toEqual({ have: 300_000, complete: true });
});

test("a machine fetches with its join token, a node with its certificate, and nobody without either", async () => {
  await put(0, tarball);
  const { token } = (await master.call("POST", "/v1/join-tokens", { body: { node: "m1", lifeMs: 60_000 } })).body;
  expect((await fetchBundle({ authorization: `Bearer ${token}` })).status).toBe(200);
  await master.clock.advance(60_001);
  const node = await joinNode(master, "m2");
  expect((await fetchBundle({}, { key: node.key, cert: node.certificate })).status).toBe(200);
  await master.call("DELETE", "/v1/nodes/m2");
  expect((await fetchBundle({}, { key: node.key, cert: node.certificate })).status).toBe(403);
  for (const headers of [{}, { authorization: "Bearer guess" }, { authorization: `Bearer ${token}` }])
    expect((await fetchBundle(headers)).status).toBe(401);
});

test("only the admin gives bundles, and only digests are names", async () => {
  const body = { bytes: 1, sha256, offset: 0, data: "" };
  expect((await master.call("PUT", `/v1/bundles/${digest}`, { body, token: null })).status).toBe(401);
  expect((await put(0, tarball, {}, "..%2f..%2fstate.db")).status).toBe(400);
  expect((await fetchBundle(admin, {}, "..%2fstate.db")).status).toBe(400);
});

test("the newest six are kept, and no upload that nobody goes on with", async () => {
  await put(0, tarball.subarray(0, 10), {}, "f".repeat(64));
  const directory = join(master.config.stateDir, "bundles");
  const longAgo = new Date(Date.now() - 25 * 3_600_000);
  for (const name of readdirSync(directory)) utimesSync(join(directory, name), longAgo, longAgo);
  for (const name of "1234567") await put(0, tarball, {}, name.repeat(64));
  expect(readdirSync(directory).filter((name) => name.endsWith(".tar.gz"))).toHaveLength(6);
  expect(readdirSync(directory)).toHaveLength(6);
});
