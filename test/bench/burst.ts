/**
 * `npm run bench:burst`: seconds from a task that waits to its process on a machine that was bought for it (medians), and
 * where they go: deciding, Pulumi, the machine, SSH, agent, join. Beside them the rule's own waiting time. Last line: JSON.
 */
import { parseArgs } from "node:util";
import type { Client } from "../../agent/contract/client.ts";
import { type BurstRow, launchPhase } from "../../agent/contract/ledger.ts";
import { submitOverflow, untilSucceeded, upWithBursts } from "../support/burst-scenario.ts";
import { makeCheckout } from "../support/checkout.ts";
import { waitUntil } from "../support/wait-until.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });

/** Seconds of one launch. */
interface Launch {
  /** From the submission until the ledger has the intent; the rule's own time is part of it. */
  readonly decide: number;
  readonly phases: Record<string, number>;
  /** From the intent to the task's process. */
  readonly whole: number;
  /** What Pulumi and we take beside the machine itself. */
  readonly ours: number;
}

async function oneLaunch(client: Client, round: number): Promise<Launch> {
  const holder = `holder-${round}`;
  await submitOverflow(client, holder, { count: 1, seconds: 600 });
  await waitUntil("the pool is full", async () => (await client.job(holder)).state === "running", 30_000);
  const name = `bench-${round}`;
  await submitOverflow(client, name, { count: 1, seconds: 0 });
  await untilSucceeded(client, name, 60_000);
  const { submittedAt, indexes } = await client.job(name);
  const startedAt = indexes[0]?.attempts.at(-1)?.startedAt ?? Number.NaN;
  await client.cancelJob(holder);
  let row: BurstRow | undefined;
  await waitUntil(
    "the burst is gone",
    async () => {
      row = (await client.bursts({ all: true })).rows.find((one) => one.for.some(({ job }) => job === name));
      return row?.state === "gone";
    },
    90_000,
  );
  const intentAt = row?.at.intent ?? Number.NaN;
  const phases = Object.fromEntries(launchPhase.options.map((phase) => [phase, row?.seconds[phase]?.actual ?? Number.NaN]));
  const whole = (startedAt - intentAt) / 1000;
  return { decide: (intentAt - submittedAt) / 1000, phases, whole, ours: whole - (phases.create ?? 0) - (phases.boot ?? 0) };
}

const median = (numbers: readonly number[]) =>
  Math.round((numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN) * 100) / 100;

const checkout = makeCheckout();
try {
  const client = await upWithBursts(checkout, { idleFor: "1s" });
  const launches: Launch[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const launch = await oneLaunch(client, round);
    launches.push(launch);
    console.error(`round ${round + 1}: ${JSON.stringify(launch)}`);
  }
  const phase = (name: string) => median(launches.map(({ phases }) => phases[name] ?? Number.NaN));
  const phases = Object.fromEntries(launchPhase.options.map((name) => [name, phase(name)]));
  const whole = median(launches.map((launch) => launch.whole));
  const known = Object.values(phases).reduce((sum, seconds) => sum + seconds, 0);
  const result = {
    decideSeconds: median(launches.map(({ decide }) => decide)),
    ...phases,
    pulumiSeconds: Math.round((whole - known) * 100) / 100,
    intentToTaskSeconds: whole,
    oursBeyondTheMachineSeconds: median(launches.map(({ ours }) => ours)),
    rounds: launches.length,
  };
  client.dispose();
  await checkout.spillway(["destroy", "local", "--yes"]);
  console.log(JSON.stringify(result));
} finally {
  checkout.remove();
}
