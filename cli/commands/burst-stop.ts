/** `spillway burst stop ID`: gives a burst back, and waits until its machines are gone. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { Client } from "../../agent/contract/client.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type BurstRow, costOf } from "../../agent/contract/ledger.ts";
import { formatUsd } from "../../agent/contract/quantities.ts";
import { wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { detachable } from "../detachable.ts";
import { openEnvironment } from "../environment-context.ts";
import { countOf, paintState, plain, print, printJson, say, shortSpan, status } from "../output.ts";
import { patiently, restartPatienceMs } from "../patience.ts";

interface StopOptions {
  readonly now?: boolean;
  readonly reason?: string;
  readonly detach?: boolean;
}

const pollMs = 1000;

export function registerBurstStop(burst: Command): void {
  const stop = burst
    .command("stop")
    .description("Give a burst back: its nodes drain, then its machines are destroyed. Waits until nothing of it is left.")
    .argument("<burst>", "its id, as `burst list` shows it")
    .option("--now", "do not let its tasks finish: they are tried again elsewhere")
    .option("--reason <text>", "why; shown to whoever asks")
    .option("-d, --detach", "do not wait")
    .action(async (given: string, { now = false, reason = "", detach = false }: StopOptions) => {
      const { client } = openEnvironment(stop);
      const id = burstIdIn(given);
      const asked = await patiently(() => client.stopBurst(id, { now, reason }), { forMs: restartPatienceMs });
      const last = detach
        ? asked
        : await detachable(`${id} goes on being stopped without you. To look: spillway burst list`, (signal) =>
            waitUntilGone(client, asked, signal),
          );
      if (last === undefined) return undefined;
      if (wantsJson(stop)) printJson(last);
      if (last.state === "leaked") throw leaked(last);
      if (!wantsJson(stop)) print(endText(last));
      return undefined;
    });
  withExamples(withEnvironment(stop), [
    "spillway burst stop b-7f3k2c",
    "spillway burst stop b-7f3k2c --now",
    "spillway burst stop b-7f3k2c --detach",
  ]);
  stop.addHelpText("after", "\nCtrl-C stops the waiting only; the burst goes on being stopped.");
}

/** `b-x` of `b-x`, `burst/b-x` and `burst-b-x`, which is its stack's name. */
export function burstIdIn(given: string): string {
  return given.replace(/^burst\//, "").replace(/^burst-(?=b-)/, "");
}

/** Tells each state it comes to; returns its row when it is gone or leaked. */
async function waitUntilGone(client: Pick<Client, "burst" | "nodes">, asked: BurstRow, signal: AbortSignal): Promise<BurstRow> {
  let row = asked;
  let told = "";
  for (;;) {
    if (row.state !== told && row.state !== "gone" && row.state !== "leaked") say(`${row.id}  ${paintState(row.state)}  ${plain(row.why)}`);
    told = row.state;
    if (row.state === "gone" || row.state === "leaked" || signal.aborted) return row;
    status(await waitingFor(client, row));
    await sleep(pollMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return row;
    row = await patiently(() => client.burst(row.id), { signal });
  }
}

async function waitingFor(client: Pick<Client, "nodes">, row: BurstRow): Promise<string> {
  const since = shortSpan(Date.now() - (row.at[row.state] ?? Date.now()));
  if (row.state !== "draining") return `  ${row.id} is ${row.state} for ${since}`;
  const tasks = await client.nodes().then(
    (nodes) => nodes.filter(({ declaration }) => declaration.burst === row.id).reduce((sum, node) => sum + node.tasks, 0),
    () => undefined,
  );
  const left = row.drain === undefined ? "" : `, at most ${shortSpan(row.drain.deadline - Date.now())} more`;
  return `  ${row.id} drains for ${since}${tasks === undefined ? "" : `: ${countOf(tasks, "task")} left`}${left}`;
}

function endText(row: BurstRow): string {
  const { spent } = costOf(row, Date.now());
  const cost = spent === 0 ? "it has cost nothing" : `it has cost ${formatUsd(spent)}`;
  if (row.state === "gone") return `${row.id} is gone: nothing of it is left, ${cost}.`;
  return `${row.id} is ${row.state}: ${plain(row.why)}. It costs ${formatUsd(row.hourly)}/h until it is gone: spillway burst list`;
}

function leaked({ id, hourly, why }: BurstRow): SpillwayError {
  return new SpillwayError(`could not be ended: ${plain(why)}. It is LEAKED and costs ${formatUsd(hourly)}/h`, {
    code: "burst-leaked",
    where: id,
    hint: "Try again: spillway fsck --fix",
  });
}
