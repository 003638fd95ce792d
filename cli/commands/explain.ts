/** `spillway explain`: why a job, a node or a burst is as it is, now. */
import type { Command } from "commander";
import type { Explanation } from "../../agent/contract/api.ts";
import type { Client } from "../../agent/contract/client.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { parseTaskId } from "../../agent/contract/workload.ts";
import { demandLines } from "../burst-text.ts";
import { usageError, wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { openEnvironment } from "../environment-context.ts";
import { paint, plain, print, printJson } from "../output.ts";
import { burstIdIn } from "./burst-stop.ts";
import { eventLine } from "./events.ts";

export function registerExplain(program: Command): void {
  const command = program
    .command("explain")
    .description("Why a job, a node or a burst is as it is: the reasons, what was rejected, the decisions so far.")
    .argument("<subject>", "job/NAME, node/NAME, burst/ID, or just the name")
    .action(async (subject: string) => {
      const { client } = openEnvironment(command);
      const explanation = await client.explain(await fullSubject(client, subject));
      if (wantsJson(command)) printJson(explanation);
      else print(explanationText(explanation));
    });
  withExamples(withEnvironment(command), ["spillway explain train-41", "spillway explain node/m2", "spillway explain b-7f3k2c"]);
}

/** A bare name is looked for among the jobs, the nodes and, when it looks like one, the bursts. */
export async function fullSubject(client: Pick<Client, "job" | "nodes" | "burst">, subject: string): Promise<string> {
  if (subject.includes("/") || subject === "environment") return subject;
  const name = parseTaskId(subject)?.job ?? subject;
  const burst = burstIdIn(name);
  const [nodes, isJob, isBurst] = await Promise.all([
    client.nodes(),
    isThere(() => client.job(name)),
    burst.startsWith("b-") ? isThere(() => client.burst(burst)) : false,
  ]);
  const isNode = nodes.some((node) => node.name === name);
  const found = [...(isJob ? [`job/${name}`] : []), ...(isNode ? [`node/${name}`] : []), ...(isBurst ? [`burst/${burst}`] : [])];
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined) throw usageError(`"${name}" is more than one thing`, `Write ${found.join(" or ")}.`);
  throw new SpillwayError(`there is no job, no node and no burst "${name}"`, {
    code: "not-found",
    hint: `\`spillway jobs list\` has the jobs, \`spillway burst list --all\` the bursts; the nodes are ${nodes.map((node) => node.name).join(", ") || "not there yet"}.`,
  });
}

async function isThere(look: () => Promise<unknown>): Promise<boolean> {
  try {
    await look();
    return true;
  } catch (error) {
    if (error instanceof SpillwayError && error.code === "not-found") return false;
    throw error;
  }
}

export function explanationText(explanation: Explanation): string {
  const lines = [paint("bold", plain(explanation.summary))];
  const looked = explanation.rejected.reduce((sum, group) => sum + group.nodes.length, 0);
  if (looked > 0) lines.push(`  ${looked} node${looked === 1 ? "" : "s"} looked at`);
  const width = Math.max(0, ...explanation.rejected.map((group) => group.reason.length));
  for (const { reason, nodes, detail } of explanation.rejected) {
    const names = nodes.length <= 4 ? nodes.join(", ") : `${nodes.slice(0, 3).join(", ")} … (${nodes.length})`;
    lines.push(
      `  ${String(nodes.length).padStart(4)}  ${plain(reason).padEnd(width)}  ${names}${detail === undefined ? "" : `  ${plain(detail)}`}`,
    );
  }
  if (explanation.burst !== undefined) {
    const [head = "", ...offers] = demandLines(explanation.burst);
    lines.push(`  bursting  ${head}`, ...offers.map((line) => `  ${line}`));
  }
  if (explanation.events.length > 0) lines.push("", ...explanation.events.map(eventLine));
  return lines.join("\n");
}
