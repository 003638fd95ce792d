/** `spillway nodes remove NODE`: empty a node, take it out of the pool, and everything of Spillway off its machine. */
import type { Command } from "commander";
import { formatCpu, formatDuration, formatUsd, parseDuration } from "../../agent/contract/quantities.ts";
import { usualDrainMs } from "../../stacks/node-removal.ts";
import type { RemovalPlan } from "../../stacks/workflow/remove-node.ts";
import { ask, refuseWithoutTerminal } from "../ask.ts";
import { readOption, usageError, wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { openEnvironment } from "../environment-context.ts";
import { interruptible } from "../interruptible.ts";
import { clearStatus, countOf, plain, print, printJson, say, status } from "../output.ts";
import { showRows } from "../progress-rows.ts";

interface RemoveOptions {
  readonly deadline?: string;
  readonly force?: boolean;
  readonly forget?: boolean;
  readonly yes?: boolean;
}

export function registerNodesRemove(nodes: Command): void {
  const command = nodes
    .command("remove")
    .description("Empty a node, take it out of the pool, and take everything of Spillway off its machine.")
    .argument("<node>", "the node's name, or its machine's address")
    .option(
      "--deadline <duration>",
      `its tasks have so long to end (default ${formatDuration(usualDrainMs)}); if some still run then, it is not removed`,
    )
    .option("--force", "stop what runs on it now; it is tried again elsewhere")
    .option("--forget", "it can't be reached: take it out of the pool and the state, and leave what is installed on it")
    .option("-y, --yes", "do not ask")
    .action(async (node: string, options: RemoveOptions) => {
      await remove(command, node, options);
    });
  withExamples(withEnvironment(command), [
    "spillway nodes remove rack-17",
    "spillway nodes remove rack-17 --deadline 1h --yes",
    "spillway nodes remove rack-17 --forget   # it is broken for good",
  ]);
  command.addHelpText(
    "after",
    "\nIt is an `up` that leaves this machine out. The settings are yours: the last line says where they name it.\nThe master's own machine can't be removed.",
  );
}

async function remove(command: Command, typed: string, { deadline, force = false, forget = false, yes = false }: RemoveOptions) {
  if (force && deadline !== undefined) throw usageError("--force and --deadline contradict each other", "Leave one of them out.");
  const drainMs = force ? 0 : deadline === undefined ? usualDrainMs : readOption("--deadline", deadline, parseDuration);
  const {
    client,
    context: { environment },
  } = openEnvironment(command);
  const { besides, planRemoval, previewRemoval, removeNode } = await import("../../stacks/workflow/remove-node.ts");
  status(`  looking at ${typed}`);
  const plan = await planRemoval(environment, typed, { client, drainMs, forget });
  clearStatus();
  const again = `spillway nodes remove ${plan.name}${force ? " --force" : ""}${forget ? " --forget" : ""} --env ${environment}`;
  say(removalText(plan, environment));
  await (await import("../ask-secrets.ts")).askSecretsOfState(environment);
  if (!yes) {
    refuseWithoutTerminal(`${again} --yes`);
    status("  looking at what else an up would change");
    const others = besides(await previewRemoval(environment, plan, { onRow: () => undefined, onNotice: say }), plan);
    clearStatus();
    if (others.length > 0)
      say(`  besides     ${others.map(({ name, operation }) => `${operation} ${name}`).join(", ")} (an up was due anyway)`);
    if ((await ask(`Remove ${plan.name}? (yes/no) `, `${again} --yes`)) !== "yes") return say("Nothing was changed.");
  }
  const begun = Date.now();
  // The same line comes once more at the end, where it is found.
  const onNotice = (text: string) => (plan.later !== undefined && text.includes(plan.later) ? undefined : say(text));
  const result = await interruptible(again, () => removeNode(environment, plan, { client, onRow: showRows(), onNotice, again }));
  if (wantsJson(command)) {
    const { name, saved, next, later } = plan;
    return printJson({
      node: name,
      pool: result?.pool,
      savedHourly: saved,
      next,
      removeLater: later,
      seconds: (Date.now() - begun) / 1000,
    });
  }
  const pool = result === undefined ? "" : `: ${countOf(result.pool.nodes, "node")} · ${formatCpu(result.pool.cpuMillicores)} cpu are left`;
  print(`${plan.name} is removed${pool}     ${formatDuration(Date.now() - begun)}`);
  if (plan.later !== undefined) print(`  later       what is installed on it goes by this line, run there as root:\n${plan.later}`);
  if (plan.next !== undefined) print(`  next        ${plan.next}`);
  return undefined;
}

/** What it does and what it costs, before anything is done. */
export function removalText(plan: RemovalPlan, environment: string): string {
  const { where, node, machine, drainMs, forget, later, saved } = plan;
  const lines = [`${plain(where)} is to leave the pool of ${environment}`];
  if (node !== undefined && node.state !== "ready") lines.push(`  now         ${node.state}: ${plain(node.stateReason)}`);
  lines.push(`  tasks       ${tasksText(node?.tasks, { drainMs, isGone: machine === undefined || later !== undefined })}`);
  if (node !== undefined) {
    const { cpu } = node.capacity;
    lines.push(`  capacity    ${formatCpu(cpu)} cpu fewer`);
  }
  if (saved > 0) lines.push(`  cost        ${formatUsd(saved)}/hour less, by your own price`);
  if (machine === undefined) lines.push("  machine     none is known under this name: only the master's record of it goes");
  else if (machine.provider === "local") lines.push("  machine     it is deleted, with everything on it");
  else if (later !== undefined) lines.push("  machine     it does not answer: what is installed on it stays there until you remove it");
  else lines.push(`  machine     it stays yours; everything of Spillway is taken off it${forget ? ", if it can be reached" : ""}`);
  return lines.join("\n");
}

function tasksText(tasks: number | undefined, { drainMs, isGone }: { readonly drainMs: number; readonly isGone: boolean }): string {
  if (tasks === undefined) return "not known: the master does not know it, or does not answer";
  if (tasks === 0) return "none runs on it";
  const are = `${countOf(tasks, "task")} on it`;
  if (drainMs === 0 || isGone) return `${are}, given up now and tried again elsewhere`;
  return `${are}; ${tasks === 1 ? "it has" : "they have"} ${formatDuration(drainMs)} to end, else it is not removed (--force stops them)`;
}
