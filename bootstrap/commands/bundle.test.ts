import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, expect, it } from "vitest";
import { installLayout } from "../../agent/contract/install-layout.ts";
import { waitUntil } from "../../test/support/wait-until.ts";
import { slotsIn } from "../slots.ts";
import { type UnpackOptions, unpackBundle } from "./bundle.ts";
import { parseFacts, readInstallation } from "./facts.ts";
import { readSlots } from "./slots.ts";

let directory: string;
let gzipped: Buffer;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-unpack-"));
  mkdirSync(join(directory, "content/bin"), { recursive: true });
  writeFileSync(join(directory, "content/agent.js"), "// the agent");
  writeFileSync(join(directory, "content/bin/node"), "a program", { mode: 0o755 });
  gzipped = execFileSync("tar", ["-czf", "-", "-C", join(directory, "content"), "."]);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const layout = () => installLayout(directory);
const bundles = () => readdirSync(layout().bundles).sort();
const sumOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

function command(tarball: Buffer, over: Partial<UnpackOptions> = {}): [string, ...string[]] {
  return unpackBundle({
    layout: layout(),
    digest: "d1",
    tarballSha256: sumOf(tarball),
    compression: "gzip",
    sha256: ["sha256sum"],
    nodeBinary: undefined,
    relabel: false,
    ...over,
  }) as [string, ...string[]];
}

function unpack(tarball: Buffer, over: Partial<UnpackOptions> = {}): { status: number | null; stderr: string } {
  const [program, ...args] = command(tarball, over);
  return spawnSync(program, args, { input: tarball, encoding: "utf8", env: { ...process.env, PATH: `${directory}:${process.env.PATH}` } });
}

const isThere = () => parseFacts(execute(readInstallation(layout(), "agent", "d1"))).has("bundle");

function execute([program = "", ...args]: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8" });
}

it("brings a bundle whole, from gzip and where the machine has it from zstd", () => {
  expect(unpack(gzipped)).toMatchObject({ status: 0, stderr: "" });
  expect(readFileSync(join(layout().bundle("d1"), "bin/node"), "utf8")).toBe("a program");
  // What unpacks zstd here is not the point.
  writeFileSync(
    join(directory, "zstd"),
    `#!/bin/sh\nexec "${process.execPath}" -e 'process.stdin.pipe(require("zlib").createZstdDecompress()).pipe(process.stdout)'\n`,
    {
      mode: 0o755,
    },
  );
  expect(unpack(zstdCompressSync(gunzipSync(gzipped)), { digest: "d2", compression: "zstd" })).toMatchObject({ status: 0, stderr: "" });
  expect(readFileSync(join(layout().bundle("d2"), "bin/node"), "utf8")).toBe("a program");
  expect(bundles()).toEqual(["d1", "d2"]);
});

it("leaves nothing of one that arrives broken, or that can't be unpacked", () => {
  const short = gzipped.subarray(0, gzipped.length - 10);
  expect(unpack(short, { tarballSha256: sumOf(gzipped) })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("the bundle arrived broken: its SHA-256 is"),
  });
  expect(unpack(short).status).not.toBe(0);
  expect(unpack(Buffer.from("no archive")).status).not.toBe(0);
  expect(bundles()).toEqual([]);
});

it("takes one that a power cut may have emptied for none, and brings it again", async () => {
  const bundle = layout().bundle("d1");
  const marker = join(bundle, "not-synced");
  expect(unpack(gzipped).status).toBe(0);
  await waitUntil("it is on the disk", async () => !existsSync(marker));
  expect(isThere()).toBe(true);
  execFileSync("ln", ["-s", bundle, layout().current("agent")]);
  expect(slotsIn(execute(readSlots(layout(), "agent"))).whole).toBe(true);

  // As after the machine has started again; a file's bytes may be lost where its name is not.
  for (const boot of ["another boot\n", ""]) {
    writeFileSync(marker, boot);
    writeFileSync(join(bundle, "agent.js"), "");
    expect(isThere()).toBe(false);
    expect(slotsIn(execute(readSlots(layout(), "agent")))).toMatchObject({ current: "d1", whole: false });
    expect(unpack(gzipped).status).toBe(0);
    expect(readFileSync(join(bundle, "agent.js"), "utf8")).toBe("// the agent");
    await waitUntil("it is on the disk", async () => !existsSync(marker));
  }
  expect(isThere()).toBe(true);
  expect(bundles()).toEqual(["d1"]);
});

it("is there as soon as it is unpacked, for as long as the machine runs", () => {
  mkdirSync(layout().bundle("d1"), { recursive: true });
  writeFileSync(join(layout().bundle("d1"), "not-synced"), readFileSync("/proc/sys/kernel/random/boot_id"));
  expect(isThere()).toBe(true);
});

it("clears away what broken uploads left, but not one whose connection hangs", async () => {
  for (const name of ["d0.part", "d0.part.tar.gz", "d0.part.999999999"]) mkdirSync(join(layout().bundles, name), { recursive: true });
  const [program, ...args] = command(gzipped);
  const hanging = spawn(program, args);
  hanging.stdin.write(gzipped.subarray(0, 10));
  await waitUntil("it has begun", async () => bundles().some((name) => name === `d1.part.${hanging.pid}`));
  expect(unpack(gzipped).status).toBe(0);
  expect(bundles()).toEqual(["d1", `d1.part.${hanging.pid}`]);
  hanging.stdin.end(gzipped.subarray(10));
  const [code] = await once(hanging, "close");
  expect(code).toBe(0);
  expect(bundles()).toEqual(["d1"]);
});

it("gives the files of a bundle the labels of their places before it is there by name, where SELinux is on", () => {
  const told = join(directory, "told");
  writeFileSync(join(directory, "restorecon"), `#!/bin/sh\necho "$@" >"${told}"\n`, { mode: 0o755 });
  unpack(gzipped);
  expect(existsSync(told)).toBe(false);
  unpack(gzipped, { digest: "d2", relabel: true });
  const [, part] = /^-R (.+)\/bundle\n$/.exec(readFileSync(told, "utf8")) ?? [];
  expect(part).toMatch(/\/d2\.part\.\d+$/);
});
