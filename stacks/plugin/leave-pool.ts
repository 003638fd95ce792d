/** How a node leaves the pool: no new task from now on, those it has may end, and then its record goes. */
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "../../agent/contract/client.ts";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { describeError, ifFound, SpillwayError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { formatDuration } from "../../agent/contract/quantities.ts";
import type { MachineStatus } from "../../providers/provider.ts";
import { drainPatience, isForgottenMachine } from "../node-removal.ts";
import { isStranger, isUnreachable, type MasterAccess, withPatientMaster } from "./master-access.ts";
import type { ResourceContext } from "./rpc.ts";

export interface Leaving extends MasterAccess {
  readonly environment: string;
  readonly machine: Machine;
}

/**
 * While the environment goes on its tasks get time to end (`SPILLWAY_DRAIN`), and no new one comes; in a teardown, on a
 * burst, or where nothing can run any more, they do not. Throws `drain-unfinished` when some still run at the deadline: the
 * node then stays in the pool, cordoned, and the next run waits for them again.
 */
export async function leavePool(node: Leaving, power: MachineStatus, context: ResourceContext): Promise<void> {
  const { name, burst } = node.machine;
  const own: PatientClient = (act) => withPatientMaster(node, act);
  try {
    if (burst === undefined && !(await own((client) => client.closing())).closing) {
      const patienceMs = runsNothing(power, name) ? 0 : drainPatience();
      await emptyNode(own, { name, environment: node.environment, patienceMs, context });
    }
    context.status("leaving the pool");
    await withCrashPoint("node.forget", () => withPatientMaster(node, (client) => client.removeNode(name)));
  } catch (error) {
    // Of a master that has other certificates by now its burster removes the node, by its row.
    if (burst !== undefined && isStranger(error)) return;
    // Without a master there is no pool to leave; what runs on the machine is ended over SSH afterwards.
    if (!isUnreachable(error)) throw error;
  }
}

/** Its provider's word that it is off or gone, or its owner's that it is to be forgotten. */
function runsNothing(power: MachineStatus, name: string): boolean {
  return power === "gone" || power === "stopped" || (power === "silent" && isForgottenMachine(name));
}

type PoolClient = Pick<Client, "closing" | "cordonNode" | "drainNode" | "node" | "attempts">;
type PatientClient = <T>(act: (client: PoolClient) => Promise<T>) => Promise<T>;

export interface Emptying {
  readonly name: string;
  readonly environment: string;
  /** 0: what runs is stopped and tried again elsewhere. */
  readonly patienceMs: number;
  readonly context: Pick<ResourceContext, "status" | "signal">;
  readonly pollMs?: number;
  /** ms since the epoch. */
  readonly now?: () => number;
}

/** Resolves when no task is left on it, or the pool has no such node. Throws `drain-unfinished`, `cancelled`, and what the master says. */
export async function emptyNode(
  own: PatientClient,
  { name, environment, patienceMs, context, pollMs = 500, now = Date.now }: Emptying,
): Promise<void> {
  const reason = "it is being removed from the pool";
  const begun = await ifFound(
    own((client) => (patienceMs === 0 ? client.drainNode(name, { reason, deadlineMs: 0 }) : client.cordonNode(name, { reason }))),
  );
  if (begun === undefined) return;
  // What is evicted is given up within a moment; only the master's own writing is waited for.
  const deadline = now() + (patienceMs === 0 ? evictionMs : patienceMs);
  for (let left = begun.tasks; left > 0; ) {
    if (now() >= deadline) throw await unfinished(own, { name, environment, left, patienceMs });
    context.status(`draining, ${left === 1 ? "1 task" : `${left} tasks`} left, ${formatDuration(Math.max(0, deadline - now()))}`);
    await delay(pollMs, undefined, { signal: context.signal }).catch(() => undefined);
    if (context.signal.aborted) throw calledOff(name);
    const view = await goesOn(() => ifFound(own((client) => client.node(name))), name);
    if (view === undefined) return;
    left = view.tasks;
  }
}

const evictionMs = 30_000;
const tasksNamed = 5;

/** A master that falls silent in the middle of a drain is no reason to stop the tasks that were waited for. */
async function goesOn<T>(act: () => Promise<T>, name: string): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    throw new SpillwayError(`the master fell silent while its tasks were waited for: ${describeError(error)}`, {
      code: "drain-interrupted",
      where: `node ${name}`,
      hint: "Nothing was taken off it. Run it again: it goes on from here.",
      cause: error,
    });
  }
}

async function unfinished(
  own: PatientClient,
  { name, environment, left, patienceMs }: { name: string; environment: string; left: number; patienceMs: number },
): Promise<SpillwayError> {
  // A master of a version before has no such list.
  const attempts = await own((client) => client.attempts()).catch(() => []);
  const ids = attempts.filter(({ node }) => node === name).map(({ taskId }) => taskId);
  const more = ids.length > tasksNamed ? " …" : "";
  const which = ids.length === 0 ? "" : ` (${ids.slice(0, tasksNamed).join(", ")}${more})`;
  const tasks = left === 1 ? "1 task still runs" : `${left} tasks still run`;
  return new SpillwayError(`${tasks} on it${which} after ${formatDuration(patienceMs)}, so it was not removed`, {
    code: "drain-unfinished",
    where: `node ${name}`,
    hint: [
      "It stays in the pool, cordoned: it gets no new task. Run it again to wait on.",
      `To stop what runs and have it tried again elsewhere: spillway nodes remove ${name} --force --env ${environment} (by plain Pulumi: SPILLWAY_DRAIN=force)`,
      `To keep the node: spillway nodes uncordon ${name} --env ${environment}`,
    ].join("\n  "),
  });
}

function calledOff(name: string): SpillwayError {
  return new SpillwayError("cancelled while its tasks were waited for", {
    code: "cancelled",
    where: `node ${name}`,
    hint: `It stays in the pool, cordoned; the next run goes on. To keep it: spillway nodes uncordon ${name}`,
  });
}
