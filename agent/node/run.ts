/** The agent: takes over what runs, dials the master, and does what it is told until it is told to leave or is ended. */
import { mkdirSync } from "node:fs";
import type { AgentConfig } from "../contract/agent-config.ts";
import { describeError, SpillwayError } from "../contract/errors.ts";
import { formatDuration } from "../contract/quantities.ts";
import { productVersion, wireVersion } from "../contract/version.ts";
import type { AgentMessage, MasterMessage } from "../contract/wire.ts";
import { bulkConnection } from "./bulk.ts";
import { connectControl } from "./control.ts";
import type { Executor } from "./executor/executor.ts";
import { processExecutor } from "./executor/process.ts";
import { systemdExecutor } from "./executor/systemd.ts";
import { bootIdFact } from "./fingerprint/boot-id.ts";
import { enforcedFact } from "./fingerprint/enforced.ts";
import { fingerprint } from "./fingerprint.ts";
import { readIdentity } from "./identity.ts";
import { keepRenewed } from "./keep-renewed.ts";
import { createLog, type Log } from "./log.ts";
import { guardMachine, type MachineGuard, type MachineGuardOptions } from "./machine-guard.ts";
import { noticeSourceOf, watchNotices } from "./notice/watch.ts";
import { reconciler } from "./reconcile.ts";

export interface AgentOptions {
  readonly config: AgentConfig;
  /** Digest of the bundle it runs. */
  readonly bundle: string;
  /** Path of task-supervisor.sh. */
  readonly taskSupervisor: string;
  /** argv that renews the certificate once. */
  readonly renewCommand: readonly string[];
  /** Ends the agent; its tasks go on. The reason is told. */
  readonly signal: AbortSignal;
  readonly log?: Log;
}

const endedBySignalExitCode = 143;
const repeatCheckMs = 1000;
/** When leaving, how long the master may take to record the last reports. */
const lastReportsMs = 2000;

/**
 * Resolves with the exit code: 0 after `leave` or when the dead-man timer has ended the machine, 1 when it could not, 143
 * after the signal. Throws `not-joined`, or why the tasks that run can't be taken over.
 */
export async function runAgent(options: AgentOptions): Promise<number> {
  const { config, signal, log = createLog(`node/${config.node}`) } = options;
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  const end = Promise.withResolvers<number>();
  signal.addEventListener("abort", () => {
    log.info(`ended by ${signal.reason}; tasks go on`);
    end.resolve(endedBySignalExitCode);
  });
  // Settled when what runs was taken over, or could not be.
  const taken = Promise.withResolvers<Taken>();
  const guard = guardOf(config, {
    log,
    async stopTasks(reason) {
      const { executor, isComplete } = await taken.promise;
      await stopEverything(executor, reason);
      return isComplete;
    },
    onEnd: end.resolve,
  });
  const closers: (() => void)[] = [() => guard?.close()];
  try {
    const executor = await Promise.race([takeOver(options, { log, taken, closers }), end.promise]);
    if (typeof executor !== "number" && guard?.isForsaken() !== true) serve(options, { executor, guard, log, end: end.resolve, closers });
    return await end.promise;
  } catch (error) {
    if (guard?.isForsaken() !== true) {
      await guard?.keep();
      throw error;
    }
    log.error(describeError(error));
    return await end.promise;
  } finally {
    for (const close of closers.toReversed()) close();
  }
}

interface Taken {
  readonly executor: Executor;
  /** Whether all that runs is known. */
  readonly isComplete: boolean;
}

/** The executor, with what a former agent has left. Throws `not-joined` too: tasks can be stopped then all the same. */
async function takeOver(
  options: AgentOptions,
  { log, taken, closers }: { log: Log; taken: PromiseWithResolvers<Taken>; closers: (() => void)[] },
): Promise<Executor> {
  const { config } = options;
  try {
    const executor = executorOf(options, log);
    closers.push(executor.close);
    await executor.readopt().catch((error: unknown) => {
      taken.resolve({ executor, isComplete: false });
      throw error;
    });
    taken.resolve({ executor, isComplete: true });
    log.info(`agent ${productVersion}, process ${process.pid}: ${executor.list().length} tasks taken over`);
    if (readIdentity(config.stateDir) !== undefined) return executor;
  } catch (error) {
    taken.reject(error);
    taken.promise.catch(() => {});
    throw error;
  }
  throw new SpillwayError("this node has no certificate yet", { code: "not-joined", where: config.node, hint: "run `join` first" });
}

interface Serving {
  readonly executor: Executor;
  readonly guard: MachineGuard | undefined;
  readonly log: Log;
  readonly end: (exitCode: number) => void;
  readonly closers: (() => void)[];
}

/** Dials the master, and does what it says. */
function serve({ config, bundle, renewCommand }: AgentOptions, { executor, guard, log, end, closers }: Serving): void {
  const bulk = bulkConnection({ config, output: executor.output, log });
  const notices =
    config.cloud === undefined ? undefined : watchNotices({ source: noticeSourceOf(config.cloud), onChange: () => control.beat(), log });
  const control = connectControl({ config, hello, onMessage, onContact: guard?.contact, notice: notices?.current, log });
  const tasks = reconciler({ executor, send: control.send, log, now: Date.now });
  const repeat = setInterval(tasks.repeatUnrecorded, repeatCheckMs);
  const stopRenewing = keepRenewed({ stateDir: config.stateDir, command: renewCommand, log });
  closers.push(
    bulk.close,
    control.close,
    stopRenewing,
    () => clearInterval(repeat),
    () => notices?.close(),
  );

  async function hello(): Promise<() => AgentMessage> {
    const host = await fingerprint(config);
    return () => ({ type: "hello", wire: wireVersion, agentVersion: productVersion, bundle, ...host, tasks: executor.list() });
  }

  let leaving = false;
  function onMessage(message: MasterMessage): void {
    if ((leaving || guard?.isForsaken()) && (message.type === "run" || message.type === "leave")) return;
    if (message.type === "run" || message.type === "stop" || message.type === "recorded") void tasks.handle(message);
    else if (message.type === "open-bulk") bulk.open();
    else if (message.type === "leave") {
      leaving = true;
      log.info("the node was removed from the pool: stopping every task");
      void stopEverything(executor, "the node was removed from the pool").then(left);
    }
  }

  function left(): void {
    if (config.deadMan === undefined || config.deadMan.end.length === 0) return end(0);
    // Whoever has removed it ends this machine, or the timer does: until then it would cost and nobody would know of it.
    control.close();
    log.info(`waits for its machine to be taken away; else it ends it, ${formatDuration(config.deadMan.silenceMs)} after the last contact`);
  }
}

function guardOf(
  { deadMan, stateDir }: AgentConfig,
  rest: Pick<MachineGuardOptions, "log" | "stopTasks" | "onEnd">,
): MachineGuard | undefined {
  return deadMan === undefined ? undefined : guardMachine({ deadMan, stateDir, ...rest });
}

function executorOf({ config, taskSupervisor }: AgentOptions, log: Log): Executor {
  const { executor, stateDir, node, taskUsers, logBytes, logTotalBytes } = config;
  const host = { stateDir, node, bootId: bootIdFact(), log, logBytes, logTotalBytes };
  if (executor === "process") return processExecutor({ ...host, taskSupervisor, taskUsers });
  return systemdExecutor({ ...host, memoryIsEnforced: enforcedFact(executor).includes("memory") });
}

/** Resolves when no task runs, and its end is recorded or the master takes too long. */
async function stopEverything(executor: Executor, reason: string): Promise<void> {
  await executor.stopAll(reason);
  const deadline = Date.now() + lastReportsMs;
  while (executor.list().length > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
}
