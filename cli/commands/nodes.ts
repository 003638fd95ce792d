/** `spillway nodes …`: the nodes of the pool. */
import type { Command } from "commander";
import type { NodeView } from "../../agent/contract/node.ts";
import { formatCpu, formatMemory } from "../../agent/contract/quantities.ts";
import { wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { openEnvironment } from "../environment-context.ts";
import { paintState, plain, print, printJson, shortSpan, table } from "../output.ts";
import { registerNodesAdopt } from "./nodes-adopt.ts";
import { registerNodesCordon, registerNodesDrain, registerNodesUncordon } from "./nodes-drain.ts";
import { registerNodesRemove } from "./nodes-remove.ts";
import { registerNodesShell } from "./nodes-shell.ts";
import { registerNodesTrust } from "./nodes-trust.ts";

export function registerNodes(program: Command): void {
  const nodes = program.command("nodes").description("The nodes of the pool.");
  registerList(nodes);
  registerNodesCordon(nodes);
  registerNodesUncordon(nodes);
  registerNodesDrain(nodes);
  registerNodesShell(nodes);
  registerNodesTrust(nodes);
  registerNodesRemove(nodes);
  registerNodesAdopt(nodes);
}

function registerList(nodes: Command): void {
  const list = nodes
    .command("list")
    .description("Every node: its state and why, whether it gets tasks, and what they use.")
    .action(async () => {
      const { client, context } = openEnvironment(list);
      const views = await client.nodes();
      if (wantsJson(list)) return printJson({ nodes: views });
      if (views.length === 0) return print(`No node has joined yet. \`./spillway up ${context.environment}\` adds them.`);
      return print(nodeTable(views, Date.now()));
    });
  withExamples(withEnvironment(list), ["spillway nodes list", "spillway nodes list --output json | jq '.nodes[].state'"]);
}

export function nodeTable(views: readonly NodeView[], now: number): string {
  const rows = views.map((node) => [
    node.name,
    paintState(node.state),
    node.scheduling === "open" ? "" : paintState(node.scheduling),
    node.declaration.pool,
    node.declaration.burst ?? "",
    String(node.tasks),
    `${formatCpu(node.used.cpu)} / ${formatCpu(node.capacity.cpu)}`,
    `${formatMemory(node.used.memory)} / ${formatMemory(node.capacity.memory)}`,
    node.lastHeartbeatAt === undefined ? "–" : `${shortSpan(now - node.lastHeartbeatAt)} ago`,
    plain(whyOf(node, now)),
  ]);
  return table(
    [
      { title: "node" },
      { title: "state" },
      { title: "scheduling" },
      { title: "node pool" },
      { title: "burst" },
      { title: "tasks", align: "right" },
      { title: "cpu used/total", align: "right" },
      { title: "memory used/total", align: "right" },
      { title: "heartbeat", align: "right" },
      { title: "why" },
    ],
    rows,
  );
}

/** What keeps tasks away, if anything does; of a machine that its cloud takes away, how soon it goes comes first. */
function whyOf({ state, stateReason, schedulingReason, notice }: NodeView, now: number): string {
  const goes = notice?.kind === "reclaim" && notice.at > now ? [`goes in ${shortSpan(notice.at - now)}`] : [];
  return [...(state === "ready" ? [] : [stateReason]), ...goes, ...(schedulingReason === undefined ? [] : [schedulingReason])].join("; ");
}
