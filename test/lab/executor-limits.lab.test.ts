/** Limits where the kernel enforces them: a virtual machine with control groups version 2, since the lab's containers have no memory controller. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { noResources, type Resources } from "../../agent/contract/resources.ts";
import { type TaskSpec, taskIdOf } from "../../agent/contract/workload.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { bootVm, type Vm } from "./support/vm.ts";

const node = "/usr/local/bin/node";
const agentProgram = "/usr/local/lib/agent-process.mjs";
const bootTimeoutMs = 600_000;
/** The processor is emulated: Node alone takes tens of seconds to start. */
const agentTimeoutMs = 300_000;

let lab: Lab | undefined;
let vm: Vm | undefined;

beforeAll(async () => {
  lab = await bootLab({ hosts: [] });
  vm = await bootVm(lab, {
    files: [
      { path: node, content: readFileSync(process.execPath), mode: 0o755 },
      { path: agentProgram, content: await agentAsOneFile() },
    ],
  });
}, bootTimeoutMs);
afterAll(async () => {
  if (vm?.isOn() === true) await vm.powerOff({ hard: true });
  await lab?.close();
});

async function agentAsOneFile(): Promise<string> {
  const entryPoints = [join(import.meta.dirname, "inside/agent-process.ts")];
  const { outputFiles } = await build({ entryPoints, bundle: true, write: false, platform: "node", format: "esm", logLevel: "silent" });
  return outputFiles[0]?.text ?? "";
}

function aTask(job: string, script: string, needs: Partial<Resources>): TaskSpec {
  const command = ["sh", "-c", script];
  const resources = { ...noResources, ...needs };
  return { taskId: taskIdOf(job, 0, 1), job, index: 0, attempt: 1, command, env: {}, resources, graceMs: 3000 };
}

test("a kernel that enforces limits is said to, ends a task over its memory, and shares its processors by weight", {
  timeout: agentTimeoutMs,
}, async () => {
  const limits = ["memory.max", "memory.swap.max", "cpu.weight", "pids.max"].map((file) => `$group/${file}`).join(" ");
  const tasks = [
    aTask("hog", "tail /dev/zero", { memory: 40 }),
    aTask("modest", `group=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); cat ${limits}`, { memory: 64, cpu: 2500 }),
  ];
  const guest = vm as Vm;
  const { stdout, stderr, code } = await guest.exec(`${node} ${agentProgram} /var/lib/spillway/agent`, {
    input: JSON.stringify(tasks),
    timeoutMs: agentTimeoutMs,
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const told = stdout
    .trim()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
  expect(told).toContainEqual({ state: "ready", enforced: ["cpu", "memory"] });
  expect(told).toContainEqual(
    expect.objectContaining({
      taskId: "hog.0.1",
      state: "failed",
      exitCode: 137,
      reason: "killed by the kernel because memory ran out (oom-kill); it asked for 40 MiB",
    }),
  );
  expect(told).toContainEqual(expect.objectContaining({ taskId: "modest.0.1", state: "succeeded" }));
  const seen = await guest.read("cat /var/lib/spillway/agent/tasks/modest.0.1/stdout.log");
  expect(seen).toBe(`${64 * 1024 ** 2}\n0\n250\n8192\n`);
});
