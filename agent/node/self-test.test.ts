import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AgentConfig } from "../contract/agent-config.ts";
import { checkAgent, checkMaster } from "./self-test.ts";
import { type FakeMaster, fakeMaster } from "./testing/fake-master.ts";

let master: FakeMaster;
let config: AgentConfig;
const taskSupervisor = join(import.meta.dirname, "../bundle/task-supervisor.sh");

beforeEach(async () => {
  master = await fakeMaster();
  config = await master.node("m1");
});
afterEach(() => master.close());

const failing = (code: string, message: RegExp) => expect.objectContaining({ code, message: expect.stringMatching(message) });

test("an agent that could run leaves nothing of the look behind", async () => {
  const before = readdirSync(config.stateDir);
  await checkAgent(config, { taskSupervisor });
  expect(readdirSync(config.stateDir)).toEqual(before);
});

test("a certificate that is missing, or made out to another node, is no good", async () => {
  await expect(checkAgent({ ...config, node: "m2" }, { taskSupervisor })).rejects.toEqual(failing("self-test-failed", /made out to .*m1/));
  rmSync(join(config.stateDir, "cert.pem"));
  await expect(checkAgent(config, { taskSupervisor })).rejects.toEqual(
    failing("self-test-failed", /its CA and certificate can't be used: it has none/),
  );
});

test("a supervisor of tasks that the shell does not understand is no good", async () => {
  const broken = join(config.stateDir, "broken.sh");
  writeFileSync(broken, "if then\n");
  await expect(checkAgent(config, { taskSupervisor: broken })).rejects.toEqual(
    failing("self-test-failed", /what runs its tasks can't be used/),
  );
});

test("a master needs its keys and a state directory that can be written", async () => {
  const stateDir = join(config.stateDir, "master");
  mkdirSync(stateDir);
  const own = {
    environment: { id: "e", name: "e" },
    listen: { host: "127.0.0.1", port: 0 },
    endpoint: "https://127.0.0.1",
    stateDir,
    caFile: config.caFile,
    intermediateCertFile: config.caFile,
    intermediateKeyFile: config.caFile,
    adminTokenSha256: "",
    timers: { heartbeatIntervalMs: 1, suspectAfterMs: 1, disconnectedAfterMs: 1, lostAfterMs: 1 },
  };
  await checkMaster(own);
  await expect(checkMaster({ ...own, intermediateKeyFile: "/nowhere" })).rejects.toEqual(failing("self-test-failed", /its certificates/));
  chmodSync(stateDir, 0o500);
  rmSync(stateDir, { recursive: true });
  await expect(checkMaster(own)).rejects.toEqual(failing("self-test-failed", /its state directory/));
});
