/** What every executor does with attempts: keeps, starts, stops, lists, takes over and forgets them; how their commands run is a launch method's matter. */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { withCrashPoint } from "../../contract/crash-point.ts";
import { describeError, SpillwayError } from "../../contract/errors.ts";
import { parseTaskId, type TaskReport, type TaskSpec } from "../../contract/workload.ts";
import { limitConcurrency } from "../limit.ts";
import { type Attempt, attempt, type TaskHost } from "./attempt.ts";
import { type Executor, isFinished } from "./executor.ts";
import type { LaunchMethod } from "./launcher.ts";
import { expiredTasks, removeTree } from "./retention.ts";
import { taskDirectory } from "./task-directory.ts";
import { defaultLogBytes, defaultLogTotalBytes, type TaskOutputBound, taskOutputBound } from "./task-output.ts";

export interface TaskExecutorOptions extends TaskHost {
  /** The agent's; attempts live in `tasks/` of it. */
  readonly stateDir: string;
  /** How often every attempt is looked at, should no event have told of its end. */
  readonly pollMs?: number;
  /** How much of one attempt's output is kept at most. */
  readonly logBytes?: number | undefined;
  /** How much of all attempts' output is kept at most. */
  readonly logTotalBytes?: number | undefined;
  /** How often that is looked at. */
  readonly boundMs?: number;
}

const defaultPollMs = 1000;
const sweepMs = 10 * 60_000;
/** A task that writes 100 MB/s is 0.5 GB beyond its bound when it is noticed. */
const defaultBoundMs = 5000;
/** Each start waits for the disk twice; of a hundred at once the first must not wait for the last. */
const startsAtOnce = 4;

interface Known {
  readonly task: Attempt;
  readonly output: TaskOutputBound;
  recorded: boolean;
  /** Of its output on the disk, as last looked at. */
  bytes: number;
}

export function taskExecutor(options: TaskExecutorOptions, method: LaunchMethod): Executor {
  const root = join(options.stateDir, "tasks");
  const known = new Map<string, Known>();
  const listeners = new Set<(report: TaskReport) => void>();
  const emit = (report: TaskReport) => {
    for (const listener of listeners) listener(report);
  };
  const inSlot = limitConcurrency(startsAtOnce);
  const poll = setInterval(() => void lookAtAll(), options.pollMs ?? defaultPollMs).unref();
  const sweep = setInterval(() => void deleteExpired(), sweepMs).unref();
  const { logBytes = defaultLogBytes, logTotalBytes = defaultLogTotalBytes } = options;
  const bound = setInterval(() => void boundOutput(), options.boundMs ?? defaultBoundMs).unref();
  let bounding = false;

  async function lookAtAll(): Promise<void> {
    for (const { task } of known.values()) {
      const report = task.report();
      if (report !== undefined && !isFinished(report)) await task.look();
    }
  }

  function remember(spec: TaskSpec, bootId: string, recorded: boolean): Attempt {
    const directory = taskDirectory(join(root, spec.taskId));
    const task = attempt({ intent: { task: spec, bootId }, directory, method, host: options, emit });
    known.set(spec.taskId, { task, output: taskOutputBound(directory), recorded, bytes: 0 });
    return task;
  }

  /** What is not recorded is cut to its share; what is recorded goes as a whole when there is no room for it. */
  async function boundOutput(): Promise<void> {
    if (bounding) return;
    bounding = true;
    try {
      const present = [...known].filter(([, { recorded }]) => !recorded);
      const share = Math.min(logBytes, Math.floor(logTotalBytes / Math.max(1, present.length)));
      for (const [taskId, entry] of present) await measure(taskId, entry, share);
      await deleteExpired();
    } finally {
      bounding = false;
    }
  }

  async function measure(taskId: string, entry: Known, maxBytes: number): Promise<void> {
    try {
      entry.bytes = await entry.output.bound(maxBytes);
    } catch (error) {
      options.log.warn(`${taskId}: its output can't be bounded: ${describeError(error)}`);
    }
  }

  async function start(spec: TaskSpec): Promise<void> {
    assertTaskId(spec.taskId);
    const entry = known.get(spec.taskId);
    if (entry === undefined) return remember(spec, options.bootId, false).start(inSlot);
    const report = entry.task.report();
    if (report !== undefined) emit(report); // else it is being started at this moment, and its report comes
  }

  async function readopt(): Promise<void> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await Promise.all((await readdir(root)).filter((name) => parseTaskId(name) !== undefined).map(readoptOne));
    await deleteExpired();
  }

  async function readoptOne(taskId: string): Promise<void> {
    const directory = taskDirectory(join(root, taskId));
    const intent = await directory.readIntent();
    if (intent === undefined) {
      // Without an intent nothing was started: the agent died while it made the directory.
      options.log.info(`${taskId}: removing what was half made`);
      return removeTree(directory.path);
    }
    const recorded = await directory.isRecorded();
    const task = remember(intent.task, intent.bootId, recorded);
    const entry = known.get(taskId);
    if (entry !== undefined) await measure(taskId, entry, logBytes);
    await task.adopt(recorded);
  }

  async function stop(taskId: string, graceMs: number | undefined, reason: string): Promise<void> {
    const task = known.get(taskId)?.task;
    if (task !== undefined) return task.stop(graceMs, reason);
    emit({ taskId, state: "lost", finishedAt: Date.now(), reason: "this node does not know the task" });
  }

  async function stopAll(reason: string): Promise<void> {
    const unrecorded = [...known.values()].filter(({ recorded }) => !recorded);
    await Promise.all(unrecorded.map(({ task }) => task.stop(undefined, reason).then(() => task.ended)));
  }

  async function markRecorded(taskId: string): Promise<void> {
    const entry = known.get(taskId);
    const report = entry?.task.report();
    if (entry === undefined || entry.recorded || report === undefined || !isFinished(report)) return;
    entry.recorded = true;
    await measure(taskId, entry, logBytes);
    try {
      await withCrashPoint("task.forget", () => entry.task.directory.markRecorded());
      await removeTree(entry.task.directory.work);
    } catch (error) {
      options.log.warn(`${taskId}: can't be marked as recorded: ${describeError(error)}`);
    }
    await deleteExpired();
  }

  async function deleteExpired(): Promise<void> {
    const finished = [...known].flatMap(([taskId, { task, recorded, bytes }]) => {
      const finishedAt = task.report()?.finishedAt;
      return recorded && finishedAt !== undefined ? [{ taskId, finishedAt, bytes }] : [];
    });
    const others = [...known.values()].reduce((sum, { recorded, bytes }) => sum + (recorded ? 0 : bytes), 0);
    for (const taskId of expiredTasks(finished, { now: Date.now(), maxBytes: logTotalBytes - others })) {
      const entry = known.get(taskId);
      if (entry === undefined) continue;
      known.delete(taskId);
      await withCrashPoint("task.forget", () => removeTree(entry.task.directory.path)).catch((error: unknown) =>
        options.log.warn(`${taskId}: its directory can't be deleted: ${describeError(error)}`),
      );
    }
  }

  return {
    start,
    stop,
    stopAll,
    recorded: markRecorded,
    readopt,
    list: () => [...known.values()].flatMap(({ task, recorded }) => (recorded ? [] : (task.report() ?? []))),
    onReport(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    output(taskId) {
      const entry = known.get(taskId);
      if (entry === undefined) return undefined;
      const { path, stdout, stderr } = entry.task.directory;
      const finished = () => {
        const report = entry.task.report();
        return report !== undefined && isFinished(report);
      };
      return { directory: path, files: { stdout, stderr }, cutOf: entry.output.cutOf, finished };
    },
    close() {
      clearInterval(poll);
      clearInterval(sweep);
      clearInterval(bound);
      listeners.clear();
      for (const { task } of known.values()) task.close();
    },
  };
}

/** Ids become names of directories: what is not one of ours must not get that far. */
function assertTaskId(taskId: string): void {
  if (parseTaskId(taskId) !== undefined && taskId.length <= 128) return;
  throw new SpillwayError(`"${taskId.slice(0, 128)}" is not the id of a task`, { code: "bad-task-id" });
}
