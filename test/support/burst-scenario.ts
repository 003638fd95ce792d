/** What the tests of bursts share: a small pool that overflows, jobs that fill it, and a count by the process list. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { stringify } from "yaml";
import { type Client, createClient } from "../../agent/contract/client.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { type Checkout, readContext } from "./checkout.ts";
import { type FoundProcess, processesOf } from "./leftovers.ts";
import { waitUntil } from "./wait-until.ts";

/** Of the burst pool: how long a launch may take, and how long a machine may be unknown. */
const launchTimeoutMs = 30_000;
export const unknownAfterMs = 5000;
/** The bound within which all is accounted for again, whatever died. */
export const accountedWithinMs = 3 * (launchTimeoutMs + unknownAfterMs);

export interface BurstScenario {
  /** Machines of the environment's own; one when left out. */
  readonly count?: number;
  readonly maxNodes?: number;
  readonly perBurst?: number;
  readonly idleFor?: string;
  readonly expireAfter?: string;
}

/** Settings of `local`: a pool of its own of 1.5 cores and a burst pool whose machines have one core each. */
function writeBurstSettings(checkout: Checkout, scenario: BurstScenario = {}): void {
  const { count = 1, maxNodes = 4, perBurst = 1, idleFor = "3s", expireAfter = "10m" } = scenario;
  const value = {
    masters: { pool: "m" },
    pools: { m: { provider: "local", count } },
    heartbeat: { interval: "250ms", suspectAfter: "2s", disconnectedAfter: "4s", lostAfter: "8s" },
    burst: {
      pools: { overflow: { provider: "local", cpu: 1, memory: "1Gi", launchTimeout: `${launchTimeoutMs}ms`, maxNodes } },
      rules: [{ when: { pendingFor: "1s" }, maxParallel: maxNodes, perBurst }],
      maxNodes,
      budget: { perHour: 1, perDay: 5 },
      retire: { idleFor, minimumLife: "1s", drainDeadline: "10s" },
      retryAfter: "2s",
      expireAfter,
      sweep: { every: "1s", unknownAfter: `${unknownAfterMs}ms` },
    },
  };
  writeFileSync(join(checkout.directory, "stacks/environment/Pulumi.local.yaml"), stringify({ config: { "spillway:environment": value } }));
}

/** Brings `local` up by these settings and returns a client of its master. Throws what `up` said. */
export async function upWithBursts(checkout: Checkout, scenario: BurstScenario = {}, env: Record<string, string> = {}): Promise<Client> {
  writeBurstSettings(checkout, scenario);
  const up = await checkout.spillway(["up", "local"], { env });
  if (up.code !== 0) throw new Error(up.stderr);
  return clientOf(checkout);
}

/** A client of the environment's master. */
function clientOf(checkout: Checkout): Client {
  const { url, ca, token } = readContext(checkout);
  return createClient({ url, ca, token });
}

/** Tasks of one core for so many seconds each; the pool itself holds one of them. */
export async function submitOverflow(client: Client, name: string, { count, seconds }: { count: number; seconds: number }): Promise<void> {
  const command = ["sh", "-c", `sleep ${seconds}`];
  await client.submitJob({ name, command, count, resources: { cpu: 1000, memory: 64 }, retries: 3, graceMs: 500 });
}

/** Resolves when the job has succeeded, each of its tasks with exactly one recorded success. */
export async function untilSucceeded(client: Client, name: string, timeoutMs: number): Promise<void> {
  await waitUntil(
    `${name} is done`,
    async () => {
      const job = await client.job(name).catch(() => undefined);
      if (job?.state === "failed") throw new Error(`${name} failed: ${job.reason}`);
      if (job?.state !== "succeeded") return false;
      for (const { index, attempts } of job.indexes)
        expect(attempts.filter(({ state }) => state === "succeeded").length, `successes of ${name}/${index}`).toBe(1);
      return true;
    },
    timeoutMs,
  );
}

/** The masters of the environment's first machine, without their supervisors. */
export function mastersOf(checkout: Checkout): FoundProcess[] {
  return processesOf(join(checkout.state, "machines", "m-1")).filter(isProgram("agent.js master "));
}

/** The bursters, without their supervisors. */
export function burstersOf(checkout: Checkout): FoundProcess[] {
  return processesOf(join(checkout.state, "bursts")).filter(isProgram("stacks/burst/main.ts "));
}

function isProgram(words: string): (found: FoundProcess) => boolean {
  return ({ command }) => `${command} `.includes(words) && !command.includes("supervise.sh");
}

/** Node ids of the burst machines that run, by the process list alone. */
export function burstMachinesRunning(checkout: Checkout): string[] {
  const names = processesOf(join(checkout.state, "machines")).flatMap(
    ({ command }) => /machine\.ts .*\/machines\/(b-[^/\s]+)$/.exec(command)?.[1] ?? [],
  );
  return names.toSorted();
}

/** Why not everything is accounted for; undefined when each machine is that of one live row and no row is half-way. */
export function unaccounted(checkout: Checkout, rows: readonly BurstRow[]): string | undefined {
  const middle = rows.filter(({ state }) => !["live", "gone"].includes(state));
  if (middle.length > 0) return middle.map(({ id, state, why }) => `${id} is ${state}: ${why}`).join("; ");
  const wanted = rows.filter(({ state }) => state === "live").flatMap(({ nodes }) => nodes);
  const running = burstMachinesRunning(checkout);
  if (JSON.stringify(wanted.toSorted()) === JSON.stringify(running)) return undefined;
  return `live by the ledger: ${wanted.join(", ")}; by the process list: ${running.join(", ")}`;
}

/** Waits until everything is accounted for; fails with what is not when the bound is passed. */
export async function untilAccounted(checkout: Checkout, client: Client, timeoutMs = accountedWithinMs): Promise<readonly BurstRow[]> {
  let rows: readonly BurstRow[] = [];
  let problem: string | undefined = "the master has not answered";
  const deadline = Date.now() + timeoutMs;
  while (problem !== undefined && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    try {
      rows = (await client.bursts({ all: true })).rows;
      problem = unaccounted(checkout, rows);
    } catch (error) {
      problem = String(error);
    }
  }
  expect(problem, `unaccounted for after ${timeoutMs / 1000} s`).toBeUndefined();
  return rows;
}
