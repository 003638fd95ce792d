/** `spillway burst …`: what was bought for a while, what would be, and how to hold or end it. */
import type { Command } from "commander";
import type { BurstView } from "../../agent/contract/burst-api.ts";
import { formatUsd } from "../../agent/contract/quantities.ts";
import { billed, blockedLine, budgetLines, burstTable, planText, statesText } from "../burst-text.ts";
import { wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { openEnvironment } from "../environment-context.ts";
import { countOf, paint, print, printJson, shortSpan, status } from "../output.ts";
import { patiently, restartPatienceMs } from "../patience.ts";
import { registerBurstStop } from "./burst-stop.ts";

export function registerBurst(program: Command): void {
  const burst = program.command("burst").description("Machines bought for a while because the pool was full.");
  registerList(burst);
  registerPlan(burst);
  registerPause(burst);
  registerResume(burst);
  registerBurstStop(burst);
}

function registerList(burst: Command): void {
  const list = burst
    .command("list")
    .description("Every burst: its state, its cost so far, and why it is there; then the budget.")
    .option("-a, --all", "also those that are gone")
    .action(async ({ all = false }: { all?: boolean }) => {
      const { client, context } = openEnvironment(list);
      const view = await client.bursts({ all });
      if (wantsJson(list)) printJson(view);
      else print(listText(view, { all, environment: context.environment, now: Date.now() }));
    });
  withExamples(withEnvironment(list), [
    "spillway burst list",
    "spillway burst list --all",
    "spillway burst list --output json | jq '.rows[] | {id, state, hourly}'",
  ]);
}

export function listText(view: BurstView, { all, environment, now }: { all: boolean; environment: string; now: number }): string {
  const { rows, offers, burster } = view;
  const blocked = blockedLine(view, environment);
  const lines: string[] = [];
  if (rows.length > 0) lines.push(burstTable(rows, offers, now), "");
  else if (view.policy !== undefined) lines.push(all ? "There was no burst yet." : "No burst now. --all shows those that are gone.");
  lines.push(...budgetLines(view.budget));
  if (burster !== undefined) {
    const heard = `${shortSpan(now - burster.seenAt)} ago`;
    lines.push(
      `${"burster".padEnd(10)}${burster.host}, process ${burster.pid}, ${burster.silent ? paint("yellow", `silent: last heard ${heard}`) : `heard ${heard}`}`,
    );
  }
  if (blocked !== undefined) lines.push(blocked);
  const [leaked] = view.budget.leaked.bursts;
  const [first] = rows;
  if (leaked !== undefined) lines.push(`Leaked machines cost until they are gone. Try again to end them: spillway fsck --fix`);
  else if (first !== undefined) lines.push(paint("dim", `Why one of them: spillway explain ${first.id}`));
  else if (view.policy !== undefined && blocked === undefined) lines.push(paint("dim", "What would be bought: spillway burst plan"));
  return lines.join("\n");
}

function registerPlan(burst: Command): void {
  const plan = burst
    .command("plan")
    .description("What would be bought and given back now, and why; what is refused, and why. Nothing is done.")
    .action(async () => {
      const { client, context } = openEnvironment(plan);
      status("  planning");
      const [made, view] = await Promise.all([client.burstPlan(), client.bursts()]);
      if (wantsJson(plan)) return printJson(made);
      print(planText(made));
      const blocked = blockedLine(view, context.environment);
      if (blocked !== undefined) print(blocked);
      return undefined;
    });
  withExamples(withEnvironment(plan), ["spillway burst plan", "spillway burst plan --output json | jq .launch"]);
}

function registerPause(burst: Command): void {
  const pause = burst
    .command("pause")
    .description("Buy nothing from now on. What runs stays until it is idle; this says what that is, and what it costs.")
    .option("--reason <text>", "why; shown to whoever asks")
    .action(async ({ reason = "" }: { reason?: string }) => {
      const { client } = openEnvironment(pause);
      const view = await patiently(() => client.pauseBursts({ reason }), { forMs: restartPatienceMs });
      if (wantsJson(pause)) return printJson(view);
      return print(pausedText(view));
    });
  withExamples(withEnvironment(pause), [
    "spillway burst pause",
    'spillway burst pause --reason "invoice to be checked"',
    "spillway burst resume",
  ]);
}

export function pausedText({ rows }: BurstView): string {
  const runs = billed(rows);
  const hourly = runs.reduce((sum, row) => sum + row.hourly, 0);
  const lines = ["Bursts are paused: nothing is bought from now on."];
  if (runs.length === 0) lines.push("Nothing that was bought is left, so bursts cost nothing.");
  else {
    lines.push(
      `${countOf(runs.length, "burst")} still ${runs.length === 1 ? "runs" : "run"} (${statesText(runs)}) and cost${runs.length === 1 ? "s" : ""} ${formatUsd(hourly)}/h until idle:`,
    );
    lines.push(...runs.map((row) => `  ${row.id}  ${row.state}  ${countOf(row.nodes.length, "machine")}  ${formatUsd(row.hourly)}/h`));
    lines.push("To end one: spillway burst stop ID");
  }
  return [...lines, "To go on: spillway burst resume"].join("\n");
}

function registerResume(burst: Command): void {
  const resume = burst
    .command("resume")
    .description("End the pause: the policy counts again.")
    .action(async () => {
      const { client, context } = openEnvironment(resume);
      const view = await patiently(() => client.resumeBursts(), { forMs: restartPatienceMs });
      if (wantsJson(resume)) return printJson(view);
      print(
        blockedLine(view, context.environment) ??
          "Bursts are bought again, as the policy says. What that would be now: spillway burst plan",
      );
      return undefined;
    });
  withExamples(withEnvironment(resume), ["spillway burst resume"]);
}
