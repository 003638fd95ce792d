/** `spillway pool`: all nodes' resources as one view. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { PoolView } from "../../agent/contract/api.ts";
import { describeError } from "../../agent/contract/errors.ts";
import { formatCpu, formatMemory, formatUsd } from "../../agent/contract/quantities.ts";
import type { Resources } from "../../agent/contract/resources.ts";
import { wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { openEnvironment } from "../environment-context.ts";
import { countOf, paint, paintState, plain, print, printJson, printJsonLine, say, status, table } from "../output.ts";

export function registerPool(program: Command): void {
  const command = program
    .command("pool")
    .description("All nodes' resources as one view: what there is, what is used, what waits, what it costs.")
    .option("-w, --watch", "show it again whenever it changes, until Ctrl-C")
    .action(async (options: { watch?: boolean }) => {
      const { client } = openEnvironment(command);
      const json = wantsJson(command);
      if (options.watch) return watch(() => client.pool(), json);
      const view = await client.pool();
      if (json) printJson(view);
      else print(poolTable(view));
    });
  withExamples(withEnvironment(command), [
    "spillway pool",
    "spillway pool --watch",
    "spillway pool --output json | jq .total.used.cpu      # millicores",
  ]);
}

const watchIntervalMs = 1000;

/** Shows the pool until Ctrl-C; a master that is away for a while is told and waited for. */
async function watch(read: () => Promise<PoolView>, json: boolean): Promise<void> {
  let shown = "";
  let fault = "";
  for (;;) {
    try {
      const view = await read();
      const text = json ? JSON.stringify(view) : poolTable(view);
      fault = "";
      if (text !== shown || process.stdout.isTTY) show(view, text, json);
      shown = text;
    } catch (error) {
      if (shown === "") throw error;
      const sentence = describeError(error).split("\n")[0] ?? "";
      if (sentence !== fault) say(`${sentence}; still trying`);
      fault = sentence;
    }
    await sleep(watchIntervalMs);
  }
}

function show(view: PoolView, text: string, json: boolean): void {
  if (json) return printJsonLine(view);
  if (!process.stdout.isTTY) return print(`${new Date().toISOString()}\n${text}\n`);
  process.stdout.write(`\u001b[H\u001b[J${text}\n`);
  status(`environment ${view.environment} · every ${watchIntervalMs / 1000} s · Ctrl-C ends it, the pool goes on`);
}

/** The pool as a table: a row per node pool, then the sum, then what waits. */
export function poolTable(view: PoolView): string {
  const lines = table(
    [
      { title: "" },
      { title: "nodes", align: "right" },
      { title: "cpu used/total", align: "right" },
      { title: "memory used/total", align: "right" },
      { title: "gpu", align: "right" },
      { title: "$/hour", align: "right" },
    ],
    [
      ...view.rows.map((part) => row(plain(part.where === part.pool ? part.pool : `${part.pool} (${part.where})`), part)),
      row(paint("bold", "the pool"), view.total),
    ],
  );
  const { pending, running, finished } = view.jobs;
  const waiting = view.pendingTasks === 0 ? "" : ` · ${countOf(view.pendingTasks, "task")} waiting for room`;
  const after = [`\njobs: ${running} running, ${pending} pending, ${finished} finished${waiting}`, ...burstLines(view)];
  if (view.closing) after.push(paint("yellow", "The environment is being torn down: nothing new is started."));
  if (view.total.nodes === 0) after.push(`No node has joined yet. \`./spillway up ${view.environment}\` adds them.`);
  return [lines, ...after].join("\n");
}

/** `bursts: 2 live, 1 launching · $0.30/h`; left out when there is none. */
function burstLines({ bursts }: PoolView): string[] {
  if (bursts === undefined) return [];
  const { hourly, ...states } = bursts;
  const counts = Object.entries(states).filter(([, count]) => count > 0);
  const text = counts.map(([state, count]) => `${count} ${paintState(state)}`).join(", ");
  return [`bursts: ${text} · ${formatUsd(hourly)}/h${states.leaked > 0 ? paint("red", " (what is leaked: spillway fsck --fix)") : ""}`];
}

function row(title: string, part: PoolView["total"]): string[] {
  return [
    title,
    nodesOf(part),
    usage(part.used.cpu, part.capacity.cpu, formatCpu),
    usage(part.used.memory, part.capacity.memory, formatMemory),
    gpus(part.used, part.capacity),
    part.hourly.toFixed(2),
  ];
}

/** `3`, or `3 (1 lost)` when not all are ready. */
function nodesOf(part: PoolView["total"]): string {
  const others = Object.entries(part.nodesByState).filter(([state, count]) => state !== "ready" && count > 0);
  const detail = others.map(([state, count]) => `${count} ${paintState(state)}`).join(", ");
  return detail === "" ? String(part.nodes) : `${part.nodes} (${detail})`;
}

function usage(used: number, capacity: number, format: (value: number) => string): string {
  return capacity === 0 ? "–" : `${format(used)} / ${format(capacity)}`;
}

function gpus(used: Resources, capacity: Resources): string {
  return gpuCount(capacity) === 0 ? "" : `${gpuCount(used)}/${gpuCount(capacity)}`;
}

function gpuCount(of: Resources): number {
  return of.gpus.reduce((total, gpu) => total + gpu.count, 0);
}
