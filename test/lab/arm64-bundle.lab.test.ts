/** The bundle for Linux arm64, made on whatever this is, runs: its own Node, its own JavaScript, under QEMU's user emulation. */
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildBundle } from "../../agent/bundle/build.ts";
import { carriedNodeVersion } from "../../agent/bundle/node-binary.ts";
import { productVersion, wireVersion } from "../../agent/contract/version.ts";
import { arm64Root } from "./support/requirements.ts";

/** Emulated, Node's start takes some ten times as long. */
const emulatedTimeoutMs = 120_000;

describe("the bundle for Linux arm64", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "spillway-arm64-"));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test("runs its agent on its own Node", { timeout: emulatedTimeoutMs }, async () => {
    // Into the usual cache: the binary is 120 MB and takes a while to compress.
    const { tarball, digest } = await buildBundle({ platform: "linux-arm64" });
    execFileSync("tar", ["-xzf", tarball, "-C", directory]);
    const words = ["-L", arm64Root, join(directory, "bin/node"), join(directory, "agent.js"), "version"];
    const { stdout } = await promisify(execFile)("qemu-aarch64-static", words, {
      encoding: "utf8",
      env: { PATH: process.env.PATH },
      timeout: emulatedTimeoutMs,
    });
    expect(JSON.parse(stdout)).toEqual({ productVersion, wireVersion, nodeVersion: carriedNodeVersion, bundle: digest });
  });
});
