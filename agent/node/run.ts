/** The agent: takes over what runs, dials the master, and does what it is told until it is told to leave or is ended. */
import { mkdirSync } from "node:fs";
import type { AgentConfig } from "../contract/agent-config.ts";
import { describeError, SpillwayError } from "../contract/errors.ts";
import { formatDuration } from "../contract/quantities.ts";
import { productVersion, wireVersion } from "../contract/version.ts";
import type { AgentMessage, MasterMessage } from "../contract/wire.ts";
import { bulkConnection } from "./bulk.ts";
import { connectControl } from "./control.ts";
import { type DeadManWatch, endMachine, watchDeadMan } from "./dead-man-watch.ts";
import type { Executor } from "./executor/executor.ts";
import { processExecutor } from "./executor/process.ts";
import { systemdExecutor } from "./executor/systemd.ts";
import { bootIdFact } from "./fingerprint/boot-id.ts";
import { enforcedFact } from "./fingerprint/enforced.ts";
import { fingerprint } from "./fingerprint.ts";
import { readIdentity } from "./identity.ts";
import { keepRenewed } from "./keep-renewed.ts";
import { createLog, type Log } from "./log.ts";
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
/** What restarts agents starts this one again: its machine has still to be ended. */
const endFailedExitCode = 1;
const repeatCheckMs = 1000;
/** When leaving, how long the master may take to record the last reports. */
const lastReportsMs = 2000;
/** A machine nobody wants any more costs while its tasks take their time. */
const longestStopMs = 10 * 60_000;

/**
 * Resolves with the exit code: 0 after `leave` or when the dead-man timer has ended the machine, 1 when it could not, 143
 * after the signal. Throws `not-joined`.
 */
export async function runAgent(options: AgentOptions): Promise<number> {
  const { config, bundle, renewCommand, signal, log = createLog(`node/${config.node}`) } = options;
  if (readIdentity(config.stateDir) === undefined) {
    throw new SpillwayError("this node has no certificate yet", { code: "not-joined", where: config.node, hint: "run `join` first" });
  }
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  const end = Promise.withResolvers<number>();
  signal.addEventListener("abort", () => {
    log.info(`ended by ${signal.reason}; tasks go on`);
    end.resolve(endedBySignalExitCode);
  });

  const executor = executorOf(options, log);
  await executor.readopt();
  log.info(`agent ${productVersion}, process ${process.pid}: ${executor.list().length} tasks taken over`);

  const bulk = bulkConnection({ config, output: executor.output, log });
  const deadMan = startDeadMan();
  const control = connectControl({ config, hello, onMessage, onContact: deadMan?.contact, log });
  const tasks = reconciler({ executor, send: control.send, log, now: Date.now });
  const repeat = setInterval(tasks.repeatUnrecorded, repeatCheckMs);
  const deadManTimer = deadMan === undefined ? undefined : setInterval(deadMan.tick, deadMan.tickMs);
  const stopRenewing = keepRenewed({ stateDir: config.stateDir, command: renewCommand, log });

  async function hello(): Promise<() => AgentMessage> {
    const host = await fingerprint(config);
    return () => ({ type: "hello", wire: wireVersion, agentVersion: productVersion, bundle, ...host, tasks: executor.list() });
  }

  let leaving = false;
  function onMessage(message: MasterMessage): void {
    if (leaving && (message.type === "run" || message.type === "leave")) return;
    if (message.type === "run" || message.type === "stop" || message.type === "recorded") void tasks.handle(message);
    else if (message.type === "open-bulk") bulk.open();
    else if (message.type === "leave") {
      leaving = true;
      log.info("the node was removed from the pool: stopping every task");
      void stopEverything(executor, "the node was removed from the pool").then(left);
    }
  }

  function left(): void {
    if (config.deadMan === undefined || config.deadMan.end.length === 0) return end.resolve(0);
    // Whoever has removed it ends this machine, or the timer does: until then it would cost and nobody would know of it.
    control.close();
    log.info(`waits for its machine to be taken away; else it ends it, ${formatDuration(config.deadMan.silenceMs)} after the last contact`);
  }

  function startDeadMan(): DeadManWatch | undefined {
    if (config.deadMan === undefined) return undefined;
    return watchDeadMan({ deadMan: config.deadMan, stateDir: config.stateDir, log, onForsaken: (reason) => void endForsaken(reason) });
  }

  async function endForsaken(reason: string): Promise<void> {
    leaving = true;
    log.error(`${reason}: stopping every task, then this machine is ended`);
    try {
      await Promise.race([stopEverything(executor, reason), new Promise((resolve) => setTimeout(resolve, longestStopMs).unref())]);
      await deadMan?.keep();
      if (config.deadMan !== undefined) await endMachine(config.deadMan);
      end.resolve(0);
    } catch (error) {
      log.error(describeError(error));
      end.resolve(endFailedExitCode);
    }
  }

  const exitCode = await end.promise;
  clearInterval(repeat);
  clearInterval(deadManTimer);
  stopRenewing();
  control.close();
  bulk.close();
  executor.close();
  return exitCode;
}

function executorOf({ config: { executor, stateDir, node }, taskSupervisor }: AgentOptions, log: Log): Executor {
  const host = { stateDir, node, bootId: bootIdFact(), log };
  if (executor === "process") return processExecutor({ ...host, taskSupervisor });
  return systemdExecutor({ ...host, memoryIsEnforced: enforcedFact(executor).includes("memory") });
}

/** Resolves when no task runs, and its end is recorded or the master takes too long. */
async function stopEverything(executor: Executor, reason: string): Promise<void> {
  await executor.stopAll(reason);
  const deadline = Date.now() + lastReportsMs;
  while (executor.list().length > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
}
