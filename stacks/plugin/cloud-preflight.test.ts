import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createIntermediate, createRootCa, issueServerCertificate } from "../../agent/master/auth/certificates.ts";

const program = resolve(import.meta.dirname, "../../bootstrap/cloud-join/machine.py");
let directory: string;
let server: Server;
let port: number;
/** How far ahead of this computer's clock the master's is. */
let aheadMs = 0;
let answer: { status: number; body: string } | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "spillway-preflight-"));
  const root = await createRootCa("spillway test", 30);
  const issuer = await createIntermediate(root, "spillway test masters", 20);
  const { certificate, key } = await issueServerCertificate({ issuer, hosts: ["127.0.0.1"], days: 5 });
  writeFileSync(join(directory, "ca.pem"), root.certificate);
  server = createServer({ cert: certificate, key }, (_, response) => {
    response.sendDate = false;
    response.writeHead(answer?.status ?? 200, { date: new Date(Date.now() + aheadMs).toUTCString() }).end(answer?.body ?? "{}");
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.close();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  aheadMs = 0;
  answer = undefined;
});

/** Of a machine that has nothing against it. */
const settings = () => ({
  endpoint: `https://127.0.0.1:${port}`,
  caFile: join(directory, "ca.pem"),
  node: "m1",
  token: "t",
  digest: "d",
  bytes: 10,
  sha256: "s",
  arch: process.arch,
  bundle: "/nonexistent",
  opt: join(directory, "opt/spillway"),
  identityFile: "/nonexistent",
  environmentId: "e",
  isHost: false,
  oldestGlibc: "2.28",
  oldestSystemd: 247,
  diskMiB: 1,
  memoryMiB: 1,
  clockSkewS: 30,
  clockPatienceS: 0,
  patienceS: 0,
  tools: ["sh"],
});

function machine(changed: Record<string, unknown>, ...verb: string[]): Promise<{ code: number; said: string }> {
  const file = join(directory, "settings.json");
  writeFileSync(file, JSON.stringify({ ...settings(), ...changed }));
  return new Promise((done) => {
    execFile("python3", [program, file, ...verb], (error, stdout) =>
      done({ code: error === null ? 0 : Number(error.code), said: stdout.trim() }),
    );
  });
}

describe("the look at a machine, before anything is changed on it", () => {
  test("finds nothing on one that is as it should be", async () => {
    expect(await machine({}, "preflight")).toEqual({ code: 0, said: "" });
  });

  test.each([
    ["another processor", { arch: "riscv64" }, /^its processor is (x64|arm64); the bundle is for riscv64$/],
    ["an old C library", { oldestGlibc: "99.1" }, /^its C library is glibc [\d.]+; the bundle's Node needs 99\.1$/],
    ["no room", { diskMiB: 1e12 }, /^\d+ MiB free on its disk, 1000000000000 MiB needed$/],
    ["little memory", { memoryMiB: 1e12 }, /^it has \d+ MiB of memory, 1000000000000 MiB are needed$/],
    ["missing tools", { tools: ["sh", "no-such-tool"] }, /^it lacks no-such-tool$/],
    ["another master's certificate", { caFile: "/etc/hostname" }, /^it can't dial the master at https:\/\/127\.0\.0\.1:\d+: /],
    ["no way to the master", { endpoint: "https://127.0.0.1:1" }, /^it can't dial the master at https:\/\/127\.0\.0\.1:1: .*refused/i],
  ])("refuses one with %s, in a sentence", async (_, changed, words) => {
    const { code, said } = await machine(changed, "preflight");
    expect(said).toMatch(words);
    expect(code).toBe(3);
  });

  test("tells all that is wrong at once", async () => {
    const { said } = await machine({ arch: "riscv64", tools: ["no-such-tool"] }, "preflight");
    expect(said).toMatch(/riscv64; it lacks no-such-tool$/);
  });

  test.each([
    [40_000, /^its clock is (39|40)\.\d s behind the master's$/],
    [-40_000, /^its clock is (39|40)\.\d s ahead of the master's$/],
  ])("refuses a clock that is %d ms off", async (ms, words) => {
    aheadMs = ms;
    const { code, said } = await machine({}, "preflight");
    expect(said).toMatch(words);
    expect(code).toBe(3);
  });

  test.each([-20_000, 20_000])("takes a clock that is %d ms off", async (ms) => {
    aheadMs = ms;
    expect(await machine({}, "preflight")).toEqual({ code: 0, said: "" });
  });
});

describe("fetching a bundle", () => {
  test("gives up at once when the master refuses the token, with its words", async () => {
    answer = {
      status: 401,
      body: JSON.stringify({ error: { code: "unauthorized", message: "a join token that has not ended is needed" } }),
    };
    const fetched = await machine({ patienceS: 60 }, "fetch", join(directory, "bundle"));
    expect(fetched).toEqual({ code: 3, said: "a join token that has not ended is needed" });
  });

  test("tries again for as long as it may, and then says what came", async () => {
    answer = { status: 200, body: "0123456789" };
    const { code, said } = await machine({}, "fetch", join(directory, "bundle"));
    expect(said).toMatch(/^the bundle can't be fetched: the bundle arrived broken: its SHA-256 is [0-9a-f]{64}, expected s$/);
    expect(code).toBe(3);
  });
});
