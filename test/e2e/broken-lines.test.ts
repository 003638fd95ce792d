/** What the bootstrap does on a bad line: broken at any byte in either direction, or long, it ends in the same state. */
import { createHash, randomBytes } from "node:crypto";
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Machine } from "../../agent/contract/machine.ts";
import type { BootstrapRequest, BundleFile } from "../../bootstrap/context.ts";
import { claim } from "../../bootstrap/phases/claim.ts";
import { connect } from "../../bootstrap/phases/connect.ts";
import { facts } from "../../bootstrap/phases/facts.ts";
import { install } from "../../bootstrap/phases/install.ts";
import { keepBundle } from "../../bootstrap/phases/keep-bundle.ts";
import { uploadBundle } from "../../bootstrap/phases/upload-bundle.ts";
import { runPhases } from "../../bootstrap/run-phases.ts";
import { connectSession } from "../../bootstrap/ssh/session.ts";
import { type SshHost, sshHost } from "../../bootstrap/ssh/testing/ssh-host.ts";
import { outputOf } from "../lab/support/run-program.ts";
import { type Cut, type SshProxy, type SshProxyOptions, sshProxy } from "../lab/support/ssh-proxy.ts";
import { randomSequence } from "../support/random-sequence.ts";
import { waitUntil } from "../support/wait-until.ts";

const start = Number(process.env.SPILLWAY_SEED ?? 20_261_122);
const wantedCuts = 40;
const patientMs = 120_000;

let directory: string;
let bundle: BundleFile;
let host: SshHost;
const proxies = new Set<SshProxy>();

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "spillway-bad-line-"));
  mkdirSync(join(directory, "bundle"));
  writeFileSync(join(directory, "bundle/agent.js"), "// the program\n");
  // Can't be compressed, so it is what goes over the line.
  writeFileSync(join(directory, "bundle/ballast"), randomBytes(400_000));
  const tarball = join(directory, "bundle.tar.gz");
  await outputOf(["tar", "-czf", tarball, "-C", join(directory, "bundle"), "."]);
  const sha256 = createHash("sha256").update(readFileSync(tarball)).digest("hex");
  bundle = { tarball, compression: "gzip", sha256, digest: "d".repeat(64), bytes: statSync(tarball).size };
  host = await sshHost({ environment: { SPILLWAY_ROOT: join(directory, "root") } });
});
afterEach(async () => {
  for (const proxy of proxies) await proxy.close();
  proxies.clear();
  rmSync(join(directory, "root"), { recursive: true, force: true });
});
afterAll(async () => {
  await host.stop();
  rmSync(directory, { recursive: true });
});

async function behind(options: SshProxyOptions): Promise<{ machine: Machine; proxy: SshProxy }> {
  const proxy = await sshProxy({ address: host.machine.host, port: host.machine.port }, options);
  proxies.add(proxy);
  // Linked, as on this computer: what is unpacked need not be synced to the disk.
  return { proxy, machine: { ...host.machine, port: proxy.port, nodeBinary: process.execPath } };
}

/** All of an installation but what starts programs. */
async function installed(machine: Machine): Promise<readonly string[]> {
  mkdirSync(join(directory, "root/opt"), { recursive: true });
  const request: BootstrapRequest = {
    machine,
    role: "agent",
    identity: { environmentId: "e-1", environment: "test", machine: "h1" },
    bundle: async () => bundle,
    files: (layout) => [
      { path: layout.caFile, content: "a certificate\n".repeat(200), mode: "644" },
      { path: layout.config("agent"), content: JSON.stringify({ node: "h1", padding: "x".repeat(20_000) }), mode: "600" },
    ],
    awaitReady: async () => undefined,
    patienceMs: patientMs,
  };
  return await runPhases([connect, facts, claim, keepBundle, uploadBundle, install], request);
}

/** Every file with its mode and content, every link with its target; undefined while a command that lost its connection is still at work. */
function state(): Record<string, string> {
  const root = join(directory, "root");
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        const what = entry.isSymbolicLink()
          ? readlinkSync(path)
          : `${statSync(path).mode.toString(8)} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`;
        return [path.slice(root.length), what];
      }),
  );
}

function leftovers(): string[] {
  return Object.keys(state()).filter((path) => /\.(new|part)\b/.test(path));
}

it("ends in the same state when the line breaks at any byte, again and again", { timeout: 300_000 }, async () => {
  const straight = await behind({});
  await installed(straight.machine);
  const wanted = state();
  const [mostFromClient, mostFromHost] = [straight.proxy.sent(), straight.proxy.received()];
  expect(Object.keys(wanted).length).toBeGreaterThan(5);

  const random = randomSequence(start);
  let cuts = 0;
  for (let round = 0; cuts < wantedCuts; round++) {
    rmSync(join(directory, "root"), { recursive: true, force: true });
    const broken = 2 + Math.floor(random() * 4);
    const places = Array.from({ length: broken }, (): Cut => {
      // Half of them in the short talk before and after the upload.
      if (random() < 0.5) return { fromHost: Math.floor(random() * mostFromHost) };
      const share = random() < 0.5 ? random() : random() * 0.03;
      return { fromClient: Math.floor(share * mostFromClient) };
    });
    const { machine, proxy } = await behind({ cut: (connection) => places[connection] });
    const said = `seed ${start}, round ${round}, cuts ${JSON.stringify(places)}`;
    await installed(machine).catch((error: unknown) => {
      throw new Error(`${said}: ${String(error)}`, { cause: error });
    });
    await waitUntil(`nothing is left half-made (${said})`, async () => leftovers().length === 0);
    expect(state(), said).toEqual(wanted);
    cuts += proxy.connections() - 1;
    await proxy.close();
    proxies.delete(proxy);
  }
  expect(cuts).toBeGreaterThanOrEqual(wantedCuts);
});

it("ends in the same state when the line breaks after a while", { timeout: 120_000 }, async () => {
  const straight = await behind({});
  await installed(straight.machine);
  const wanted = state();
  rmSync(join(directory, "root"), { recursive: true });
  const { machine, proxy } = await behind({ cut: (connection) => (connection < 4 ? { afterMs: 30 + 120 * connection } : undefined) });
  await installed(machine);
  await waitUntil("nothing is left half-made", async () => leftovers().length === 0);
  expect(state()).toEqual(wanted);
  expect(proxy.connections()).toBeGreaterThan(1);
});

it("ends in the same state on a line of 200 ms each way", { timeout: 120_000 }, async () => {
  const straight = await behind({});
  await installed(straight.machine);
  const wanted = state();
  rmSync(join(directory, "root"), { recursive: true });
  const { machine, proxy } = await behind({ latencyMs: 200 });
  await installed(machine);
  expect(state()).toEqual(wanted);
  expect(proxy.connections()).toBe(1);
});

it("lets go of a file that it was sending when the line breaks", async () => {
  const { machine } = await behind({ cut: () => ({ fromClient: 100_000 }) });
  const session = await connectSession(machine);
  const stdin = createReadStream(bundle.tarball);
  await expect(session.run(["cat"], { stdin })).rejects.toMatchObject({ code: "ssh-lost" });
  await waitUntil("the file is closed", async () => stdin.destroyed);
  session.close();
});
