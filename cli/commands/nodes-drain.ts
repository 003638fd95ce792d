/** `spillway nodes cordon|uncordon|drain`: keep tasks off a node, empty it, and let it take tasks again. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { Client } from "../../agent/contract/client.ts";
import { ifFound, SpillwayError } from "../../agent/contract/errors.ts";
import type { NodeView } from "../../agent/contract/node.ts";
import { parseDuration } from "../../agent/contract/quantities.ts";
import { readOption, wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { detachable } from "../detachable.ts";
import { openEnvironment } from "../environment-context.ts";
import { countOf, paintState, plain, print, printJson, say, shortSpan, status } from "../output.ts";
import { patiently, restartPatienceMs } from "../patience.ts";

const pollMs = 1000;
const longestDeadlineMs = 7 * 86_400_000;

export function registerNodesCordon(nodes: Command): void {
  const cordon = nodes
    .command("cordon")
    .description("Give nodes no new task; they keep those they have.")
    .argument("<node...>", "the nodes' names")
    .option("--reason <text>", "why; shown to whoever asks")
    .action(async (names: string[], { reason = "" }: { reason?: string }) => {
      await each(cordon, names, (client, name) => client.cordonNode(name, { reason }));
    });
  withExamples(withEnvironment(cordon), ['spillway nodes cordon rack-17 --reason "new disk"', "spillway nodes uncordon rack-17"]);
}

export function registerNodesUncordon(nodes: Command): void {
  const uncordon = nodes
    .command("uncordon")
    .description("Let nodes take tasks again; also ends a drain.")
    .argument("<node...>", "the nodes' names")
    .action(async (names: string[]) => {
      await each(uncordon, names, (client, name) => client.uncordonNode(name));
    });
  withExamples(withEnvironment(uncordon), ["spillway nodes uncordon rack-17"]);
}

interface DrainOptions {
  readonly reason?: string;
  readonly deadline: string;
  readonly detach?: boolean;
}

export function registerNodesDrain(nodes: Command): void {
  const drain = nodes
    .command("drain")
    .description(
      "Empty a node: it gets no new task, and what still runs at the deadline is tried again elsewhere. Waits until it is empty.",
    )
    .argument("<node>", "the node's name")
    .option("--reason <text>", "why; shown to whoever asks")
    .option("--deadline <duration>", "its tasks have so long to finish; 0s: none", "5m")
    .option("-d, --detach", "do not wait")
    .action(async (name: string, { reason = "", deadline, detach = false }: DrainOptions) => {
      const deadlineMs = readOption("--deadline", deadline, parseDeadline);
      const { client } = openEnvironment(drain);
      const asked = await patiently(() => client.drainNode(name, { reason, deadlineMs }), { forMs: restartPatienceMs });
      const last = detach
        ? asked
        : await detachable(
            `${name} goes on draining without you. To look: spillway nodes list; to end it: spillway nodes uncordon ${name}`,
            (signal) => waitUntilDrained(client, asked, signal),
          );
      if (last === undefined) return;
      if (wantsJson(drain)) printJson(last);
      else print(lineOf(last));
      if (!wantsJson(drain) && last.scheduling === "drained" && last.declaration.burst === undefined)
        print(`  next        spillway nodes uncordon ${name}   (when it is to take tasks again)`);
    });
  withExamples(withEnvironment(drain), [
    'spillway nodes drain rack-17 --reason "new disk"',
    "spillway nodes drain rack-17 --deadline 30m",
    "spillway nodes drain rack-17 --deadline 0s --detach",
  ]);
  drain.addHelpText(
    "after",
    "\nA node of a burst goes with its burst, which is given back when it is drained. Ctrl-C stops the waiting only.",
  );
}

async function each(command: Command, names: readonly string[], act: (client: Client, name: string) => Promise<NodeView>): Promise<void> {
  const { client } = openEnvironment(command);
  const views: NodeView[] = [];
  for (const name of names) {
    const view = await patiently(() => act(client, name), { forMs: restartPatienceMs });
    views.push(view);
    if (!wantsJson(command)) print(lineOf(view));
  }
  if (wantsJson(command)) printJson({ nodes: views });
}

/** Says what is left; returns the node when it is drained, as it was last when it was taken away meanwhile. */
async function waitUntilDrained(client: Pick<Client, "node">, asked: NodeView, signal: AbortSignal): Promise<NodeView> {
  let view = asked;
  if (view.scheduling === "draining") say(lineOf(view));
  for (;;) {
    if (view.scheduling === "drained" || signal.aborted) return view;
    if (view.scheduling !== "draining") {
      throw new SpillwayError(
        `the drain of ${view.name} was ended by somebody else: it is ${view.scheduling}, with ${countOf(view.tasks, "task")}`,
        {
          code: "drain-ended",
          hint: `To see by whom: spillway events --subject node/${view.name}`,
        },
      );
    }
    const left =
      view.drainDeadline === undefined ? "" : `; what runs in ${shortSpan(view.drainDeadline - Date.now())} is tried again elsewhere`;
    status(`  ${view.name} drains: ${countOf(view.tasks, "task")} left${left}`);
    await sleep(pollMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return view;
    const next = await patiently(() => ifFound(client.node(view.name)), { signal });
    if (next === undefined) return { ...view, scheduling: "drained", tasks: 0, schedulingReason: "it is no longer in the pool" };
    view = next;
  }
}

/** `rack-17  draining  2 tasks  drained by the operator: new disk` */
function lineOf({ name, scheduling, tasks, schedulingReason }: NodeView): string {
  return `${name}  ${paintState(scheduling)}  ${countOf(tasks, "task")}  ${plain(schedulingReason ?? "takes tasks")}`;
}

function parseDeadline(value: string): number {
  const ms = parseDuration(value);
  if (ms > longestDeadlineMs) throw new RangeError(`"${value}" is more than 7 days`);
  return ms;
}
