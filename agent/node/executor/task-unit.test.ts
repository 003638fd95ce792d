import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { taskUnitOf } from "../../contract/install-layout.ts";
import { noResources } from "../../contract/resources.ts";
import type { TaskSpec } from "../../contract/workload.ts";
import { commandScript, taskUnitArguments } from "./task-unit.ts";

const directory = "/var/lib/spillway/agent/tasks/train-41.0.2";
const task: TaskSpec = {
  taskId: "train-41.0.2",
  job: "train-41",
  index: 0,
  attempt: 2,
  command: ["sh", "-c", "echo $HOME; exit 3"],
  env: { SECRET: "s3cret" },
  resources: { ...noResources, cpu: 1500, memory: 256 },
  graceMs: 2500,
};

function argumentsOf(more: Partial<TaskSpec> = {}): string[] {
  return taskUnitArguments({
    task: { ...task, ...more },
    directory: {
      path: directory,
      work: `${directory}/work`,
      stdout: `${directory}/stdout.log`,
      stderr: `${directory}/stderr.log`,
      commandScript: `${directory}/command.sh`,
      unitScript: `${directory}/unit.sh`,
    },
    token: "token-1",
    hidden: ["/var/lib/spillway/agent", "/opt/spillway", "/etc/spillway", "/var/lib/spillway", "/var/log/spillway"],
  });
}

const properties = (more: Partial<TaskSpec> = {}) =>
  argumentsOf(more)
    .filter((argument) => argument.startsWith("--property="))
    .map((argument) => argument.slice("--property=".length));

test("a unit is named after its task, as people know it", () => {
  expect(taskUnitOf("train-41.0.2")).toBe("spillway-task-train-41.0.2.service");
});

test("a task's unit is asked for by exactly this line", () => {
  expect(argumentsOf().join("\n")).toMatchInlineSnapshot(`
    "--quiet
    --collect
    --unit=spillway-task-train-41.0.2.service
    --slice=spillway.slice
    --description=Spillway task train-41.0.2
    --property=Type=exec
    --property=Restart=no
    --property=KillMode=mixed
    --property=TimeoutStopSec=2500ms
    --property=TimeoutStartSec=60000ms
    --property=PermissionsStartOnly=yes
    --property=ExecStartPre=/bin/sh /proc/1/root/var/lib/spillway/agent/tasks/train-41.0.2/unit.sh begin token-1
    --property=ExecStopPost=/bin/sh /proc/1/root/var/lib/spillway/agent/tasks/train-41.0.2/unit.sh end token-1
    --property=StandardInput=file:/var/lib/spillway/agent/tasks/train-41.0.2/command.sh
    --property=StandardOutput=append:/var/lib/spillway/agent/tasks/train-41.0.2/stdout.log
    --property=StandardError=append:/var/lib/spillway/agent/tasks/train-41.0.2/stderr.log
    --property=WorkingDirectory=/var/lib/spillway/agent/tasks/train-41.0.2/work
    --property=IgnoreSIGPIPE=no
    --property=MemoryMax=268435456
    --property=MemorySwapMax=0
    --property=CPUWeight=150
    --property=TasksMax=8192
    --property=OOMPolicy=kill
    --property=OOMScoreAdjust=200
    --property=DynamicUser=yes
    --property=NoNewPrivileges=yes
    --property=PrivateTmp=yes
    --property=ProtectSystem=strict
    --property=CapabilityBoundingSet=
    --property=TemporaryFileSystem=/var/lib/spillway:ro
    --property=BindPaths=/var/lib/spillway/agent/tasks/train-41.0.2/work
    --property=InaccessiblePaths=-/opt/spillway
    --property=InaccessiblePaths=-/etc/spillway
    --property=InaccessiblePaths=-/var/log/spillway
    --property=PrivateDevices=yes
    --property=ProtectClock=yes
    --property=ProtectControlGroups=yes
    --property=ProtectHostname=yes
    --property=ProtectKernelLogs=yes
    --property=ProtectKernelModules=yes
    --property=ProtectKernelTunables=yes
    --property=ProtectProc=invisible
    --property=LockPersonality=yes
    --property=RestrictRealtime=yes
    /usr/bin/env
    -i
    /bin/sh"
  `);
});

test("neither command nor environment is in the unit, nor anything that systemd can't read back after a reload", () => {
  expect(argumentsOf().join("\n")).not.toMatch(/s3cret|echo|[$;%\\'"]/);
});

test("a task that asked for nothing has no ceiling and the usual weight; one that asked for much has systemd's greatest", () => {
  expect(properties({ resources: noResources }).filter((property) => /^(Memory|CPU)/.test(property))).toEqual([]);
  expect(properties({ resources: { ...noResources, cpu: 512_000 } })).toContain("CPUWeight=10000");
  expect(properties({ resources: { ...noResources, cpu: 1 } })).toContain("CPUWeight=1");
});

test("a host that goes down waits for a task's grace, but neither for ever nor for an hour", () => {
  expect(properties({ graceMs: 0 })).toContain("TimeoutStopSec=1000ms");
  expect(properties({ graceMs: 3_600_000 })).toContain("TimeoutStopSec=90000ms");
});

test("a task with a GPU sees the host's devices", () => {
  expect(properties({ resources: { ...noResources, gpus: [{ model: "a100", count: 1 }] } })).not.toContain("PrivateDevices=yes");
});

test("the shell gets environment and arguments as they are", () => {
  const words = ["a b", "", "it's", '"$HOME"', "*", "back\\slash", "line\nbreak", "-n", "ü"];
  const script = commandScript(["printf", "[%s]", ...words], { "not.for-shells": "x", GREETING: "it's $HOME", PATH: "/usr/bin:/bin" });
  expect(script).toContain(`export GREETING='it'\\''s $HOME'\n`);
  expect(script).not.toContain("not.for-shells");
  const { stdout } = spawnSync("/usr/bin/env", ["-i", "/bin/sh"], { input: script, encoding: "utf8" });
  expect(stdout).toBe(words.map((word) => `[${word}]`).join(""));
});

test.each([
  ["a null byte", ["echo", "a\0b"], "ERR_INVALID_ARG_VALUE"],
  ["an argument of 128 KiB", ["echo", "x".repeat(128 * 1024)], "E2BIG"],
  ["arguments of 2 MiB", ["echo", ...Array.from({ length: 32 }, () => "x".repeat(64 * 1024))], "E2BIG"],
])("what no host could start is refused: %s", (_, command, code) => {
  expect(() => commandScript(command, {})).toThrow(expect.objectContaining({ code }));
});
