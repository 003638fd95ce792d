import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { commandBench } from "../testing/command-bench.ts";
import { sendError } from "../testing/fake-master.ts";
import { nodeFinding, pulumiFinding } from "./computer.ts";
import { agentFinding, keyFinding } from "./credentials.ts";
import { describedFindings } from "./environment.ts";

const bench = commandBench();
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-doctor-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("programs", () => {
  test.each([
    ["24.21.0", true],
    ["26.0.0", true],
    ["20.20.2", false],
  ])("Node %s", (version, ok) => expect(nodeFinding(version).ok).toBe(ok));

  test.each([
    ["v3.270.0", true],
    ["3.250.0", true],
    ["v3.199.0", false],
    ["v4.0.0", false],
    [undefined, false],
  ])("Pulumi %s", (version, ok) => expect(pulumiFinding("/bin/pulumi", version).ok).toBe(ok));
});

describe("SSH credentials", () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.close();
    server = undefined;
  });
  async function anAgent(answer: Buffer): Promise<string> {
    const socket = join(directory, "agent");
    server = createServer((connection) => connection.once("data", () => connection.end(answer)));
    await new Promise<void>((done) => server?.listen(socket, done));
    return socket;
  }

  test("an agent must be there, answer as one, and hold a key", async () => {
    expect(await agentFinding(await anAgent(Buffer.from([0, 0, 0, 5, 12, 0, 0, 0, 2])))).toMatchObject({
      ok: true,
      found: "it holds 2 keys",
    });
    server?.close();
    expect(await agentFinding(await anAgent(Buffer.from([0, 0, 0, 5, 12, 0, 0, 0, 0])))).toMatchObject({ found: "it holds no key" });
    server?.close();
    expect(await agentFinding(await anAgent(Buffer.from("hello")))).toMatchObject({ ok: false });
    expect(await agentFinding(join(directory, "none"))).toMatchObject({ ok: false, hint: expect.stringContaining("ssh-add") });
    expect(await agentFinding("")).toMatchObject({ ok: false, found: expect.stringContaining("SSH_AUTH_SOCK") });
  });

  test("a key file must be there, and be its owner's alone", () => {
    const key = join(directory, "key");
    expect(keyFinding(key)).toMatchObject({ ok: false, found: expect.stringContaining("ENOENT") });
    writeFileSync(key, "", { mode: 0o600 });
    expect(keyFinding(key)).toEqual({ name: "SSH key", ok: true, found: key });
    chmodSync(key, 0o640);
    expect(keyFinding(key)).toMatchObject({ ok: false, hint: `chmod 600 ${key}` });
  });
});

describe("an environment", () => {
  const health = { ok: true, version: "0.1.0", environmentId: "id-1", pid: 1 };
  async function examined(): Promise<{
    code: number;
    stdout: string;
    findings: Record<string, { ok: boolean; found: string; hint?: string }>;
  }> {
    const { code, stdout } = await bench.run("doctor", "--env", "local", "--output", "json");
    const { sections } = JSON.parse(stdout) as { sections: { findings: { name: string; ok: boolean; found: string }[] }[] };
    return { code, stdout, findings: Object.fromEntries((sections[1]?.findings ?? []).map((finding) => [finding.name, finding])) };
  }

  test("with a master that answers is fine, and its token is never printed", async () => {
    bench.master.answer(({ path }) => (path === "/v1/health" ? health : { nodes: [] }));
    const { findings, stdout } = await examined();
    expect(findings).toMatchObject({ master: { ok: true }, nodes: { ok: true }, secrets: { ok: true } });
    expect(stdout).not.toContain("very-secret");
  });

  test.each([
    ["of another environment", { ...health, environmentId: "id-2" }, "another environment"],
    ["that is starting", undefined, "not yet"],
  ])("with a master %s is not", async (_, answer, words) => {
    bench.master.answer((_request, response) => answer ?? sendError(response, 503, "starting", "not yet"));
    const { code, findings } = await examined();
    expect(findings.master).toMatchObject({
      ok: false,
      found: expect.stringContaining(words),
      hint: expect.stringContaining("./spillway up local"),
    });
    expect(code).toBe(1);
  });

  test("whose context is broken, or missing beside its state, is told with what writes it again", async () => {
    const file = join(bench.state, "local", "context.json");
    writeFileSync(file, "{}");
    expect((await examined()).findings.context).toMatchObject({ ok: false, hint: expect.stringContaining("./spillway up local") });
    rmSync(file);
    mkdirSync(join(bench.state, "local", "backend"), { mode: 0o755 });
    const { findings } = await examined();
    expect(findings.master).toMatchObject({ ok: false, found: expect.stringContaining("no context") });
    expect(findings.secrets).toMatchObject({ ok: false, hint: expect.stringContaining("chmod go=") });
  });
});

test("settings to start from are looked at, but not the keys that they name, which are nobody's yet", () => {
  for (const [name, machines] of [
    ["dev", 2],
    ["prod", 5],
  ] as const) {
    expect(describedFindings(name)).toEqual([
      {
        name: "settings",
        ok: true,
        found: `${machines} machines wanted`,
        hint: `It has not been brought up here. Its keys and hosts: spillway doctor --env ${name}`,
      },
    ]);
  }
  expect(describedFindings("no-such-environment")).toMatchObject([{ ok: false, hint: expect.stringContaining("spillway init") }]);
});
