/** One attempt of a task, whatever runs its command: noted, started, watched, stopped, taken over again. */
import { withCrashPoint } from "../../contract/crash-point.ts";
import { describeError } from "../../contract/errors.ts";
import { formatDuration } from "../../contract/quantities.ts";
import type { TaskReport } from "../../contract/workload.ts";
import { setAlarm } from "../alarm.ts";
import type { Log } from "../log.ts";
import { commandProblem } from "./command-problem.ts";
import { isFinished } from "./executor.ts";
import type { CommandEnd, LaunchMethod } from "./launcher.ts";
import type { Intent, StopIntent, TaskDirectory } from "./task-directory.ts";
import { couldNotStart, cutOff, type Ending, endedOutOfMemory, endedWithCode, endedWithoutCode, neverBegan } from "./task-outcome.ts";

export interface TaskHost {
  readonly node: string;
  readonly bootId: string;
  readonly log: Log;
}

export type Attempt = ReturnType<typeof attempt>;

/** Characters; a reason may quote a command, and a command may be longer than a frame. */
const longestReason = 1000;
/** How often an attempt that was killed is looked at, when its end is not announced by an exit event. */
const killedPollMs = 25;

export function attempt(given: {
  intent: Intent;
  directory: TaskDirectory;
  method: LaunchMethod;
  host: TaskHost;
  emit: (report: TaskReport) => void;
}) {
  const { directory, method, host, emit } = given;
  const { task } = given.intent;
  let { bootId } = given.intent;
  const launcher = method.launcher({ task, directory, changed: () => void inTurn(settle) });
  const alarms = new Set<() => void>();
  let report: TaskReport | undefined;
  let stopping: StopIntent | undefined;
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
      await withCrashPoint("task.spec", () => directory.writeIntent({ task, bootId }));
    } catch (error) {
      return finish(couldNotStart("this node can't write its files", error), Date.now(), true);
    }
    await launch();
  }

  async function launch(): Promise<void> {
    let startedAt: number;
    try {
      startedAt = await launcher.start();
    } catch (error) {
      return finish(couldNotStart("it could not be started", error), Date.now(), true);
    }
    running(startedAt);
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
    let started = await directory.readStarted();
    if (started === undefined && !recorded) {
      if (stopping === undefined) return beginNoted();
      // What a former agent asked the host for may be on its way: it must not begin now.
      if (await directory.claimLatch())
        return finish(endedWithoutCode({ stop: stopping, started: false, rebooted: false }), Date.now(), true);
      started = await directory.readStarted();
    }
    if (started === undefined) return settle();
    report = { taskId: task.taskId, state: "running", startedAt: started.at };
    await settle();
    if (isFinished(report)) return;
    running(started.at);
    launcher.watch();
    await settle(); // it may have come just before the watch
    if (stopping !== undefined && !isFinished(report)) await terminate(stopping);
  }

  /** A former agent noted it and died. After a reboot only a durable latch tells that it has not run. */
  async function beginNoted(): Promise<void> {
    if (bootId === host.bootId) return launch();
    if (!method.latchIsDurable) return settle();
    bootId = host.bootId;
    await start();
  }

  /** Looks whether the attempt has ended, and finishes it if so. */
  async function settle(): Promise<void> {
    if (report !== undefined && isFinished(report)) return;
    if (await finishByResult()) return;
    const started = await directory.readStarted();
    const rebooted = bootId !== host.bootId;
    if (!rebooted && (await launcher.isAlive(started))) return;
    if (await finishByResult()) return; // written between the two looks
    if (started !== undefined) launcher.killLeftovers(started);
    await finish(endedWithoutCode({ stop: stopping, started: started !== undefined, rebooted }), Date.now(), true);
  }

  /** The regular look: also whether it takes more than its share, where only the agent can tell. */
  async function look(): Promise<void> {
    await settle();
    if (stopping !== undefined || (report !== undefined && isFinished(report))) return;
    const excess = await launcher.excess?.();
    // The kernel would end it at once, and a task that still grows must not have time to take the host along.
    if (excess !== undefined) await beginStop({ graceMs: 0, reason: excess, state: "failed" });
  }

  async function finishByResult(): Promise<boolean> {
    const result = await directory.readResult();
    const end = result === undefined ? undefined : launcher.readEnd(result.line);
    if (result === undefined || end === undefined) return false;
    await finish(endingOf(end), result.at, false);
    return true;
  }

  function endingOf(end: CommandEnd): Ending {
    if (!end.begun)
      return stopping === undefined ? neverBegan(end.reason) : endedWithoutCode({ stop: stopping, started: false, rebooted: false });
    const { exitCode, cause } = end;
    if (stopping === undefined && cause === "shutdown") return cutOff(bootId !== host.bootId);
    if (stopping === undefined && cause === "out-of-memory") return endedOutOfMemory(exitCode, task.resources.memory);
    const [command = ""] = task.command;
    const path = task.env.PATH ?? process.env.PATH ?? "";
    const missing = exitCode === 126 || exitCode === 127 ? commandProblem(command, path, directory.work) : undefined;
    return endedWithCode(exitCode, stopping, missing);
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
    await launcher.signal("SIGTERM");
    alarm(intent.killAt, () => void inTurn(kill));
  }

  async function kill(): Promise<void> {
    await launcher.signal("SIGKILL");
    await settle();
    if (report !== undefined && !isFinished(report)) alarm(Date.now() + killedPollMs, () => void inTurn(kill));
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
    launcher.close();
  }

  return {
    directory,
    report: () => report,
    /** `inSlot` lets it wait for others that are being started. */
    start: (inSlot: (act: () => Promise<void>) => Promise<void>) => inTurn(() => inSlot(start)),
    adopt: (recorded: boolean) => inTurn(() => adopt(recorded)),
    /** Resolves when it has ended. */
    ended: ended.promise,
    look: () => inTurn(look),
    /** Without `graceMs` the task's own. Reports again when it has ended. */
    stop: (graceMs: number | undefined, reason: string) =>
      inTurn(async () => {
        if (report !== undefined && isFinished(report)) return emitReport();
        await beginStop({ graceMs: graceMs ?? task.graceMs, reason, state: "cancelled" });
      }),
    close(): void {
      closed = true;
      release();
    },
  };
}
