/** One attempt of a task as a process under task-supervisor.sh: started, watched, stopped, taken over again. */
import { type ChildProcess, spawn } from "node:child_process";
import { type FSWatcher, watch } from "node:fs";
import { withCrashPoint } from "../../contract/crash-point.ts";
import { describeError } from "../../contract/errors.ts";
import { formatDuration } from "../../contract/quantities.ts";
import type { TaskReport } from "../../contract/workload.ts";
import { setAlarm } from "../alarm.ts";
import type { Log } from "../log.ts";
import { commandProblem } from "./command-problem.ts";
import { isFinished } from "./executor.ts";
import { isSupervisor, killLeftovers, signalGroup } from "./supervisor-process.ts";
import type { Intent, StopIntent, TaskDirectory } from "./task-directory.ts";
import { taskEnvironment } from "./task-environment.ts";
import { couldNotStart, type Ending, endedWithCode, endedWithoutCode } from "./task-outcome.ts";

export interface TaskHost {
  readonly node: string;
  /** Path of task-supervisor.sh. */
  readonly taskSupervisor: string;
  readonly bootId: string;
  readonly log: Log;
}

export type ProcessTask = ReturnType<typeof processTask>;

/** A supervisor has fallen the latch but not written its pid: it is given this long. */
const pidGraceMs = 5000;
/** Characters; a reason may quote a command, and a command may be longer than a frame. */
const longestReason = 1000;
/** How often an attempt that was killed is looked at, when its end is not announced by an exit event. */
const killedPollMs = 25;

export function processTask(given: { intent: Intent; directory: TaskDirectory; host: TaskHost; emit: (report: TaskReport) => void }) {
  const { directory, host, emit } = given;
  const { task, bootId } = given.intent;
  const alarms = new Set<() => void>();
  let report: TaskReport | undefined;
  let stopping: StopIntent | undefined;
  let child: ChildProcess | undefined;
  let watcher: FSWatcher | undefined;
  let closed = false;
  let queue: Promise<void> = Promise.resolve();
  const ended = Promise.withResolvers<void>();

  /** One act at a time, so that a stop and an exit never interleave. */
  function inTurn(act: () => Promise<void>): Promise<void> {
    queue = queue.then(act).catch((error: unknown) => host.log.error(`${task.taskId}: ${describeError(error)}`));
    return queue;
  }

  /** The intent is durable before anything is started, or nothing is. */
  async function start(): Promise<void> {
    try {
      await directory.prepare();
      await withCrashPoint("task.spec", () => directory.writeIntent(given.intent));
    } catch (error) {
      return finish(couldNotStart("this node can't write its files", error), Date.now(), true);
    }
    await launch();
  }

  async function launch(): Promise<void> {
    try {
      await withCrashPoint("task.start", async () => {
        child = await spawnDetached();
      });
    } catch (error) {
      return finish(couldNotStart("it could not be started", error), Date.now(), true);
    }
    running(Date.now());
  }

  function spawnDetached(): Promise<ChildProcess> {
    return new Promise((resolve, reject) => {
      const env = taskEnvironment(task, { node: host.node, workDirectory: directory.work, path: process.env.PATH });
      const args = [host.taskSupervisor, directory.path, ...task.command];
      const supervisor = spawn("/bin/sh", args, { cwd: directory.work, env, detached: true, stdio: "ignore" });
      supervisor.once("error", reject);
      supervisor.once("spawn", () => resolve(supervisor));
      supervisor.once("exit", () => void inTurn(settle));
      supervisor.unref();
    });
  }

  function running(startedAt: number): void {
    report = { taskId: task.taskId, state: stopping === undefined ? "running" : "stopping", startedAt };
    if (task.timeoutMs !== undefined) {
      const sentence = `it ran longer than its timeout of ${formatDuration(task.timeoutMs)}`;
      alarm(startedAt + task.timeoutMs, () => void inTurn(() => beginStop({ graceMs: task.graceMs, reason: sentence, state: "failed" })));
    }
    emit(report);
  }

  /** Takes over what a former agent left of this attempt. One that the master has recorded is over, whatever is missing of it here. */
  async function adopt(recorded: boolean): Promise<void> {
    const outcome = await directory.readOutcome();
    stopping = await directory.readStop();
    if (outcome !== undefined) {
      report = outcome;
      return ended.resolve();
    }
    const started = await directory.readStarted();
    if (started === undefined) {
      if (recorded || stopping !== undefined || bootId !== host.bootId) return settle();
      return launch();
    }
    report = { taskId: task.taskId, state: "running", startedAt: started.at };
    await settle();
    if (isFinished(report)) return;
    running(started.at);
    // Output makes events in this directory too: only the result's is worth a look.
    watcher = watch(directory.path, (_, name) => void (name === "result" && inTurn(settle)));
    watcher.on("error", () => watcher?.close());
    await settle(); // it may have come just before the watch
    if (stopping !== undefined && !isFinished(report)) await terminate(stopping);
  }

  /** Looks whether the attempt has ended, and finishes it if so. */
  async function settle(): Promise<void> {
    if (report !== undefined && isFinished(report)) return;
    if (await finishByResult()) return;
    const started = await directory.readStarted();
    if (await isAlive(started)) return;
    if (await finishByResult()) return; // written between the two looks
    const rebooted = bootId !== host.bootId;
    if (started?.pid !== undefined) killLeftovers(started.pid, task.taskId);
    await finish(endedWithoutCode({ stop: stopping, started: started !== undefined, rebooted }), Date.now(), true);
  }

  async function finishByResult(): Promise<boolean> {
    const result = await directory.readResult();
    if (result === undefined) return false;
    const [command = ""] = task.command;
    const path = task.env.PATH ?? process.env.PATH ?? "";
    const missing = result.exitCode === 126 || result.exitCode === 127 ? commandProblem(command, path, directory.work) : undefined;
    await finish(endedWithCode(result.exitCode, stopping, missing), result.at, false);
    return true;
  }

  async function isAlive(started: Awaited<ReturnType<TaskDirectory["readStarted"]>>): Promise<boolean> {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) return true;
    if (started === undefined || bootId !== host.bootId) return false;
    if (started.pid === undefined) return Date.now() - started.at < pidGraceMs;
    return isSupervisor(started.pid, directory.path);
  }

  /** `remember`: there is no result on disk from which a restarted agent could conclude the same. */
  async function finish(ending: Ending, at: number, remember: boolean): Promise<void> {
    const startedAt = report?.startedAt;
    // A file's time comes from the kernel's coarse clock, which may be some ms behind the start.
    const finishedAt = Math.max(at, startedAt ?? at);
    const reason = ending.reason.slice(0, longestReason);
    const outcome: TaskReport = { taskId: task.taskId, ...ending, reason, finishedAt, ...(startedAt === undefined ? {} : { startedAt }) };
    if (remember) await keepOutcome(outcome);
    report = outcome;
    release();
    emit(report);
    ended.resolve();
  }

  /** Before it is told: the next agent must not begin what this one has told the end of. */
  async function keepOutcome(outcome: TaskReport): Promise<void> {
    try {
      await directory.writeOutcome(outcome);
    } catch (error) {
      host.log.warn(`${task.taskId}: its outcome can't be kept: ${describeError(error)}`);
      // A disk too full for a file still lets one be removed, and without an intent nothing is ever started.
      await directory.discardIntent().catch(() => undefined);
    }
  }

  async function beginStop(wish: { graceMs: number; reason: string; state: StopIntent["state"] }): Promise<void> {
    await settle();
    if (report !== undefined && isFinished(report)) return;
    const killAt = Date.now() + wish.graceMs;
    if (stopping !== undefined && stopping.killAt <= killAt) return emitReport();
    const intent = { reason: stopping?.reason ?? wish.reason, state: stopping?.state ?? wish.state, killAt };
    stopping = intent;
    await withCrashPoint("task.stop", async () => {
      await directory
        .writeStop(intent)
        .catch((error: unknown) => host.log.warn(`${task.taskId}: its stop can't be noted: ${describeError(error)}`));
      await terminate(intent);
    });
    report = { taskId: task.taskId, ...report, state: "stopping", reason: `stopping: ${intent.reason}` };
    emit(report);
  }

  async function terminate(intent: StopIntent): Promise<void> {
    await signal("SIGTERM");
    alarm(intent.killAt, () => void inTurn(kill));
  }

  async function kill(): Promise<void> {
    await signal("SIGKILL");
    await settle();
    if (report !== undefined && !isFinished(report)) alarm(Date.now() + killedPollMs, () => void inTurn(kill));
  }

  async function signal(name: "SIGTERM" | "SIGKILL"): Promise<void> {
    // Our child may have found the latch fallen: then the task runs under another supervisor.
    const pid = (await directory.readStarted())?.pid ?? child?.pid;
    if (pid !== undefined && isSupervisor(pid, directory.path)) signalGroup(pid, name);
  }

  function emitReport(): void {
    if (report !== undefined) emit(report);
  }

  function alarm(at: number, act: () => void): void {
    if (closed) return;
    const cancel = setAlarm(at, () => {
      alarms.delete(cancel);
      act();
    });
    alarms.add(cancel);
  }

  function release(): void {
    for (const cancel of alarms) cancel();
    alarms.clear();
    watcher?.close();
    watcher = undefined;
  }

  return {
    directory,
    report: () => report,
    /** `inSlot` lets it wait for others that are being started. */
    start: (inSlot: (act: () => Promise<void>) => Promise<void>) => inTurn(() => inSlot(start)),
    adopt: (recorded: boolean) => inTurn(() => adopt(recorded)),
    /** Resolves when it has ended. */
    ended: ended.promise,
    settle: () => inTurn(settle),
    /** Without `graceMs` the task's own. Reports again when it has ended. */
    stop: (graceMs: number | undefined, reason: string) =>
      inTurn(async () => {
        if (report !== undefined && isFinished(report)) return emitReport();
        await beginStop({ graceMs: graceMs ?? task.graceMs, reason, state: "cancelled" });
      }),
    close(): void {
      closed = true;
      release();
      child?.removeAllListeners("exit");
    },
  };
}
