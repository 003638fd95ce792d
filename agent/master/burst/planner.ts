/**
 * Makes plans in a thread of its own, so that heartbeats and the API never wait for one. The thread is started by the
 * first plan and ended when there was none for a while; when it dies, another makes the same plan, once.
 */
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { SpillwayError } from "../../contract/errors.ts";
import type { BurstPlan } from "../../contract/plan.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { PlanInput } from "./plan.ts";

export const idleWorkerMs = 60_000;
/** The planner's work is bounded in steps, so one that takes this long hangs. */
const hangingMs = 60_000;
const attempts = 2;

export interface Planner {
  /** One after the other. Rejects with a SpillwayError `plan-failed` when the thread died twice, or the planner has ended. */
  plan(input: PlanInput): Promise<BurstPlan>;
  end(): Promise<void>;
}

interface Thread {
  readonly worker: Worker;
  /** Settles the plan that is under way. */
  answer: PromiseWithResolvers<BurstPlan> | undefined;
}

/** `start` stands in for the worker's thread in tests. */
export function createPlanner(clock: Clock, log: Log, start: () => Worker = startWorker): Planner {
  let thread: Thread | undefined;
  let ended = false;
  let last: Promise<unknown> = Promise.resolve();
  let cancelIdle = () => {};

  function running(): Thread {
    if (thread !== undefined) return thread;
    const begun: Thread = { worker: start(), answer: undefined };
    begun.worker.on("message", (made: BurstPlan) => begun.answer?.resolve(made));
    begun.worker.on("error", (error) => died(begun, error instanceof Error ? error.message : String(error)));
    begun.worker.on("exit", (code) => died(begun, `it ended with ${code}`));
    thread = begun;
    return begun;
  }

  function died(one: Thread, reason: string): void {
    if (thread === one) thread = undefined;
    one.answer?.reject(new SpillwayError(`the thread that makes burst plans died: ${reason}`, { code: "plan-failed" }));
  }

  async function attempt(input: PlanInput): Promise<BurstPlan> {
    const one = running();
    const answer = Promise.withResolvers<BurstPlan>();
    one.answer = answer;
    const hanging = setTimeout(() => void one.worker.terminate(), hangingMs);
    one.worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    one.worker.postMessage(input);
    try {
      return await answer.promise;
    } finally {
      clearTimeout(hanging);
      one.answer = undefined;
      one.worker.unref();
    }
  }

  async function persistently(input: PlanInput): Promise<BurstPlan> {
    cancelIdle();
    for (let n = 1; ; n += 1) {
      if (ended) throw new SpillwayError("no plan is made any more: the master ends", { code: "plan-failed" });
      try {
        const made = await attempt(input);
        cancelIdle = clock.after(idleWorkerMs, () => void stop());
        return made;
      } catch (error) {
        if (ended || n >= attempts) throw error;
        log("warn", "bursts", `${error instanceof Error ? error.message : String(error)}; another one makes the plan`);
      }
    }
  }

  async function stop(): Promise<void> {
    const one = thread;
    thread = undefined;
    await one?.worker.terminate();
  }

  return {
    plan(input) {
      const made = last.then(() => persistently(input));
      last = made.catch(() => {});
      return made;
    },
    async end() {
      ended = true;
      cancelIdle();
      await stop();
    },
  };
}

/** It does not keep the process alive. */
export function startWorker(): Worker {
  const worker = new Worker(workerFile(), { name: "spillway-plan", execArgv: [], env: {} });
  worker.unref();
  return worker;
}

/** In a source tree beside this file; in a bundle beside agent.js, which may be one folder above. */
function workerFile(): URL {
  const source = new URL("./plan-worker.ts", import.meta.url);
  const bundled = [new URL("plan-worker.js", import.meta.url), new URL("../plan-worker.js", import.meta.url)];
  return [source, ...bundled].find((file) => existsSync(file)) ?? source;
}
