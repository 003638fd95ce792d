import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Bundle, buildBundle } from "../../agent/bundle/build.ts";
import { createClient } from "../../agent/contract/client.ts";
import { installLayout } from "../../agent/contract/install-layout.ts";
import { awsProof, type CloudAuthority, cloudAuthority } from "../../agent/master/testing/cloud-authority.ts";
import { type TestMaster, testMaster } from "../../agent/master/testing/test-master.ts";
import { until } from "../../agent/master/testing/until.ts";
import type { CloudJoin } from "../../bootstrap/cloud-join/cloud-join.ts";
import { joinFiles } from "../../bootstrap/cloud-join/join-files.ts";
import { supervisionOf } from "../../bootstrap/supervision.ts";
import { giveBundle } from "./give-bundle.ts";

const run = promisify(execFile);
const slow = { timeout: 60_000 };
const arch = process.arch === "arm64" ? "arm64" : "x64";
let bundles: string;
let bundle: Bundle;
let aws: CloudAuthority;
let master: TestMaster;
let metadata: Server;
let instanceId: string;
let root: string;

beforeAll(async () => {
  bundles = mkdtempSync(join(tmpdir(), "spillway-bundles-"));
  [bundle, aws] = await Promise.all([buildBundle({ platform: "host", outDir: bundles }), cloudAuthority({ name: "CN=pretend aws" })]);
}, 60_000);
afterAll(() => rmSync(bundles, { recursive: true, force: true }));

beforeEach(async () => {
  instanceId = "i-0abc";
  master = await testMaster({ config: { identityAuthorities: [aws.certificate] } });
  metadata = createServer((request, response) => {
    if (request.method === "PUT") response.end("session");
    else
      void awsProof(aws, { instanceId }).then(({ document, signature }) =>
        response.end(request.url?.endsWith("document") ? document : signature),
      );
  });
  await new Promise<void>((resolve) => metadata.listen(0, "127.0.0.1", resolve));
  root = mkdtempSync(join(tmpdir(), "spillway-born-"));
});
afterEach(async () => {
  await stopAgent();
  metadata.close();
  await master.end();
  rmSync(root, { recursive: true, force: true });
});

async function stopAgent(): Promise<void> {
  const [program = "", ...words] = supervisionOf({ root }).stopRole(installLayout(root), "agent");
  await run(program, words).catch(() => undefined);
}

/** The machine as it is born: a bundle at the master, a token, and the files that cloud-init writes. */
async function born(more: Partial<CloudJoin> = {}): Promise<CloudJoin> {
  const client = createClient({ url: `https://127.0.0.1:${master.port}`, ca: master.ca, token: "test-admin-token" });
  try {
    await giveBundle(bundle, { call: (act) => act(client) });
    const { token } = await client.makeInstanceToken({ node: "m1", lifeMs: 600_000 });
    const wish: CloudJoin = {
      node: "m1",
      endpoint: `https://127.0.0.1:${master.port}`,
      caCert: master.ca,
      cloud: "aws",
      token,
      bundle,
      arch,
      identity: { environmentId: master.config.environment.id, environment: "test", machine: "m1" },
      patienceMs: 20_000,
      root,
      nodeBinary: process.execPath,
      ...more,
    };
    writeBorn(wish);
    return wish;
  } finally {
    client.dispose();
  }
}

function writeBorn(wish: CloudJoin): void {
  for (const { path, content, mode } of joinFiles(wish)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: Number.parseInt(mode, 8) });
  }
}

function start() {
  const { port } = metadata.address() as AddressInfo;
  const env = { ...process.env, SPILLWAY_METADATA_ENDPOINT: `http://127.0.0.1:${port}` };
  const child = spawn("sh", [join(root, "opt/spillway/join/join.sh")], { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const code = new Promise<number | null>((resolve) => {
    child.on("exit", (exitCode) => resolve(exitCode));
  });
  const said = text(child.stdout);
  void text(child.stderr);
  return { code, said, kill: () => process.kill(-(child.pid ?? 0), "SIGKILL") };
}

const declared = (providerId = "i-0abc") => master.declare("m1", { provider: "aws", providerId });
const isReady = () => until("m1 is ready", async () => (await master.call("GET", "/v1/nodes/m1")).body.state === "ready");

describe("a machine that nobody logs in to", () => {
  test("makes itself a node, waiting until it is declared, and leaves neither script nor token behind", slow, async () => {
    const { token } = await born();
    const script = start();
    const layout = installLayout(root);
    await until("it asks to join", () => existsSync(join(layout.state("agent"), "key.pem")));
    await declared();
    expect(await script.code, await script.said).toBe(0);
    await isReady();
    expect(existsSync(layout.join)).toBe(false);
    expect(JSON.parse(readFileSync(layout.identityFile, "utf8"))).toMatchObject({ machine: "m1", environment: "test" });
    expect(statSync(layout.config("agent")).mode & 0o777).toBe(0o600);
    expect(readFileSync(layout.config("agent"), "utf8")).not.toContain(token);
    expect((await master.call("GET", "/v1/nodes/m1")).body.bundle).toBe(bundle.digest);
  });

  test("goes on where it was when it is killed at any moment and started again", slow, async () => {
    await born();
    const layout = installLayout(root);
    const moments: (() => boolean)[] = [
      () => existsSync(layout.identityFile),
      () => existsSync(layout.bundle(bundle.digest)),
      () => existsSync(layout.config("agent")),
      () => existsSync(join(layout.state("agent"), "key.pem")),
    ];
    for (const moment of moments) {
      const script = start();
      await until("it is so far", moment);
      script.kill();
      await script.code;
    }
    await declared();
    const last = start();
    expect(await last.code, await last.said).toBe(0);
    await isReady();
    expect(await last.said).not.toContain("fetch the bundle");
  });

  test("that is a node already only takes the script away", slow, async () => {
    const wish = await born();
    await declared();
    expect(await start().code).toBe(0);
    await isReady();
    writeBorn(wish);
    const again = start();
    expect(await again.code).toBe(0);
    expect(await again.said).toBe("spillway: it is a node\n");
    expect(existsSync(installLayout(root).join)).toBe(false);
  });

  test("fetches the rest of a bundle, and all of it when what is there is something else", slow, async () => {
    await born();
    await declared();
    const whole = readFileSync(bundle.tarball);
    writeFileSync(join(installLayout(root).join, "bundle.tar.gz"), whole.subarray(0, 1000));
    expect(await start().code).toBe(0);
    await stopAgent();
    rmSync(root, { recursive: true, force: true });
    await born();
    writeFileSync(join(installLayout(root).join, "bundle.tar.gz"), Buffer.alloc(whole.length));
    expect(await start().code).toBe(0);
  });

  test("refuses what it can't carry, and the master hears it in a sentence", slow, async () => {
    await born({ arch: arch === "x64" ? "arm64" : "x64" });
    const script = start();
    expect(await script.code).toBe(3);
    const words = `its processor is ${arch}; the bundle is for ${arch === "x64" ? "arm64" : "x64"}`;
    expect(await script.said).toContain(words);
    expect((await master.call("GET", "/v1/join-tokens/m1")).body.problem).toBe(words);
    expect(existsSync(installLayout(root).identityFile)).toBe(false);
  });

  test("that another environment has is left alone", slow, async () => {
    await born();
    const layout = installLayout(root);
    mkdirSync(dirname(layout.identityFile), { recursive: true });
    writeFileSync(layout.identityFile, JSON.stringify({ environmentId: "another", environment: "prod", machine: "m7" }));
    expect(await start().code).toBe(3);
    expect((await master.call("GET", "/v1/join-tokens/m1")).body.problem).toContain('it belongs to the environment "prod" (another) as m7');
  });

  test("that is another instance than the declared one does not get in, and the operator reads why", slow, async () => {
    instanceId = "i-0bad";
    await born();
    await declared();
    const script = start();
    expect(await script.code).toBe(3);
    expect(await script.said).toContain("could not join the pool as m1");
    expect((await master.events("node/m1")).find(({ kind }) => kind === "node-join-refused")?.message).toContain("i-0bad");
    expect((await master.call("GET", "/v1/nodes/m1")).body.state).toBe("joining");
  });

  test("believes no master but its environment's", slow, async () => {
    await born({ caCert: aws.certificate, patienceMs: 1000 });
    const script = start();
    expect(await script.code).toBe(3);
    expect(await script.said).toMatch(/can't dial the master at https:\/\/127\.0\.0\.1:\d+: .*CERTIFICATE_VERIFY_FAILED/);
  });
});
