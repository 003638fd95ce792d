/** `spillway explain`: why a job or a node is as it is, now. */
import type { Command } from "commander";
import type { Explanation } from "../../agent/contract/api.ts";
import type { Client } from "../../agent/contract/client.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { parseTaskId } from "../../agent/contract/workload.ts";
import { usageError, wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { openEnvironment } from "../environment-context.ts";
import { paint, plain, print, printJson } from "../output.ts";
import { eventLine } from "./events.ts";

export function registerExplain(program: Command): void {
  const command = program
    .command("explain")
    .description("Why a job or a node is as it is: the reasons, the nodes that were rejected, the decisions so far.")
    .argument("<subject>", "job/NAME, node/NAME, or just the name")
    .action(async (subject: string) => {
      const { client } = openEnvironment(command);
      const explanation = await client.explain(await fullSubject(client, subject));
      if (wantsJson(command)) printJson(explanation);
      else print(explanationText(explanation));
    });
  withExamples(withEnvironment(command), ["spillway explain train-41", "spillway explain node/m2"]);
}

/** A bare name is looked for among the jobs, then among the nodes. */
export async function fullSubject(client: Pick<Client, "job" | "nodes">, subject: string): Promise<string> {
  if (subject.includes("/") || subject === "environment") return subject;
  const name = parseTaskId(subject)?.job ?? subject;
  const nodes = await client.nodes();
  const isNode = nodes.some((node) => node.name === name);
  const isJob = await client.job(name).then(
    () => true,
    (error: unknown) => {
      if (error instanceof SpillwayError && error.code === "not-found") return false;
      throw error;
    },
  );
  if (isJob && isNode) throw usageError(`"${name}" is a job and a node`, `Write job/${name} or node/${name}.`);
  if (isJob) return `job/${name}`;
  if (isNode) return `node/${name}`;
  throw new SpillwayError(`there is no job and no node "${name}"`, {
    code: "not-found",
    hint: `\`spillway jobs list\` has the jobs; the nodes are ${nodes.map((node) => node.name).join(", ") || "not there yet"}.`,
  });
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
  if (explanation.events.length > 0) lines.push("", ...explanation.events.map(eventLine));
  return lines.join("\n");
}
