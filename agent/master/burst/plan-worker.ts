/** The thread that makes plans: takes the planner's input, answers with the plan. What it throws ends it, and is told. */
import { parentPort } from "node:worker_threads";
import { type PlanInput, plan } from "./plan.ts";

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.on("message", (input: PlanInput) => parentPort?.postMessage(plan(input)));
