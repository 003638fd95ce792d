/** The engines that are at work on an environment's stacks, by the locks of its file backends: for tests that kill one. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { burstersOf } from "../../support/burst-scenario.ts";
import type { Checkout } from "../../support/checkout.ts";
import { randomSequence } from "../../support/random-sequence.ts";
import { waitUntil } from "../../support/wait-until.ts";
import type { CloudRack } from "./cloud-rack.ts";

/** Process ids of the `pulumi` that holds the environment's own stack: one at most. */
export function enginesOf(checkout: Checkout, environment: string): number[] {
  return holders(join(checkout.state, "backend/.pulumi/locks/organization/spillway", environment));
}

/** Those of all its bursts. */
export function burstEnginesOf(checkout: Checkout): number[] {
  const stacks = join(checkout.state, "bursts/backend/.pulumi/locks/organization/spillway-bursts");
  return namesIn(stacks).flatMap((stack) => holders(join(stacks, stack)));
}

/** kill -9; resolves when it is no more, and its plugins have had the time to see that. Throws when there was none. */
export async function killEngines(pids: readonly number[]): Promise<void> {
  if (pids.length === 0) throw new Error("no engine is at work");
  for (const pid of pids) killQuietly(pid);
  await waitUntil("the engine is dead", () => pids.every((pid) => !existsSync(`/proc/${pid}`) || isZombie(pid)));
}

export function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

/** Its plugins, as a rule. */
function childrenOf(pid: number): number[] {
  return namesIn(`/proc/${pid}/task`).flatMap((task) => {
    try {
      return readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
    } catch {
      return [];
    }
  });
}

/** Burster, engines with their plugins, and the master on the own host: all that takes part in a burst and may die. */
function circleOf({ checkout, lab }: Pick<CloudRack, "checkout" | "lab">): { readonly pid: number; readonly what: string }[] {
  const engines = burstEnginesOf(checkout);
  const masters = lab
    .host("own")
    .processes()
    .filter(({ command }) => / master( |$)/.test(command) && !command.includes("supervise"));
  return [
    ...burstersOf(checkout).map(({ pid }) => ({ pid, what: "the burster" })),
    ...engines.map((pid) => ({ pid, what: "an engine" })),
    ...engines.flatMap((engine) => childrenOf(engine).map((pid) => ({ pid, what: "a plugin" }))),
    ...masters.map(({ pid }) => ({ pid, what: "the master" })),
  ];
}

/** Waits for a moment that the seed decides and kills one of them. Resolves with which; undefined when there was none. */
export async function killOneAtRandom(rack: Pick<CloudRack, "checkout" | "lab">, seed: number): Promise<string | undefined> {
  const random = randomSequence(seed);
  await delay(random() * 30_000);
  const victims = circleOf(rack);
  const chosen = victims[Math.floor(random() * victims.length)];
  if (chosen !== undefined) killQuietly(chosen.pid);
  return chosen?.what;
}

function holders(directory: string): number[] {
  return namesIn(directory)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => {
      try {
        return [(JSON.parse(readFileSync(join(directory, name), "utf8")) as { pid: number }).pid];
      } catch {
        // It has just let go.
        return [];
      }
    })
    .filter((pid) => existsSync(`/proc/${pid}`));
}

function namesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

/** Dead, and whoever started it has not asked yet. */
function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}
