/**
 * Ends the machine of a node that no master wants any more. It counts from the first moment of an agent and needs nothing
 * else of it: one whose start fails each time still ends its machine.
 */
import { describeError } from "../contract/errors.ts";
import { type DeadMan, endMachine, watchDeadMan } from "./dead-man-watch.ts";
import type { Log } from "./log.ts";

export interface MachineGuardOptions {
  readonly deadMan: DeadMan;
  readonly stateDir: string;
  readonly log: Log;
  /** Stops every task. Resolves with whether none was missed. */
  readonly stopTasks: (reason: string) => Promise<boolean>;
  /** Called once, with what the agent is to exit with. */
  readonly onEnd: (exitCode: number) => void;
}

export interface MachineGuard {
  /** A master that wants this node was heard. */
  contact(): void;
  /** Nobody wants this node: its end is under way. */
  isForsaken(): boolean;
  /** Resolves when what was counted is on the disk. */
  keep(): Promise<void>;
  /** Counts no more. */
  close(): void;
}

/** What restarts agents starts this one again: its machine, or a task of it, has still to be ended. */
const endFailedExitCode = 1;
/** A machine nobody wants any more costs while its tasks take their time. */
const longestStopMs = 10 * 60_000;

/** May find at once that nobody wants the node. */
export function guardMachine({ deadMan, stateDir, log, stopTasks, onEnd }: MachineGuardOptions): MachineGuard {
  let forsaken = false;
  const watch = watchDeadMan({
    deadMan,
    stateDir,
    log,
    onForsaken(reason) {
      forsaken = true;
      void end(reason).then(onEnd);
    },
  });
  const timer = setInterval(watch.tick, watch.tickMs);
  watch.tick();

  async function end(reason: string): Promise<number> {
    log.error(`${reason}: stopping every task, then this machine is ended`);
    const stopped = await inTime(reason);
    try {
      await watch.keep();
      await endMachine(deadMan);
    } catch (error) {
      log.error(describeError(error));
      return endFailedExitCode;
    }
    // With its machine every task has ended.
    return stopped || deadMan.end.length > 0 ? 0 : endFailedExitCode;
  }

  async function inTime(reason: string): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    const timeout = setTimeout(() => late.resolve(false), longestStopMs).unref();
    try {
      return await Promise.race([stopTasks(reason), late.promise]);
    } catch (error) {
      log.error(`not every task could be stopped: ${describeError(error)}`);
      return false;
    } finally {
      clearTimeout(timeout);
    }
  }

  return { contact: watch.contact, isForsaken: () => forsaken, keep: watch.keep, close: () => clearInterval(timer) };
}
