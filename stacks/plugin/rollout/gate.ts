/** The health gate: waits until roles that run from another bundle are well, or have had their time. */
import { setTimeout as delay } from "node:timers/promises";
import { short } from "../../../agent/contract/bundle-platform.ts";
import type { Client } from "../../../agent/contract/client.ts";
import { cancelled, describeError, ifFound } from "../../../agent/contract/errors.ts";
import type { NodeView } from "../../../agent/contract/node.ts";
import { type JobDetail, parseTaskId } from "../../../agent/contract/workload.ts";
import { lostAttempts, nextPulse, noPulse, type Pulse, wantedBeats } from "./health.ts";

const pollMs = 200;

export interface Patient {
  /** Name of the node. */
  readonly node: string;
  /** Digest of the bundle that it is to run. */
  readonly bundle: string;
  /** Attempts that it is to take over. */
  readonly tasks: readonly string[];
}

export interface GateOptions {
  readonly client: Client;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly tell: (node: string, text: string) => void;
  /** ms on any clock. */
  readonly now?: () => number;
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** What is wrong with each of them; undefined: it is well. Throws `cancelled`. */
export async function nodesWell(patients: readonly Patient[], options: GateOptions): Promise<Map<string, string | undefined>> {
  const { client, timeoutMs, signal, tell, now = Date.now, wait = delay } = options;
  const deadline = now() + timeoutMs;
  const verdicts = new Map<string, string | undefined>();
  const pulses = new Map<string, Pulse>();
  while (verdicts.size < patients.length) {
    refuseCancelled(signal);
    const nodes = await client.nodes().catch(() => undefined);
    for (const { node, bundle, tasks } of patients) {
      if (verdicts.has(node)) continue;
      const known = nodes?.find(({ name }) => name === node);
      const before = pulses.get(node) ?? noPulse;
      const pulse = nodes === undefined ? { beats: 0, missing: "the master does not answer" } : nextPulse(before, known, bundle);
      pulses.set(node, pulse);
      if (pulse.missing !== before.missing) tell(node, pulse.beats === 0 ? pulse.missing : `health ${pulse.beats}/${wantedBeats}`);
      const lost = pulse.beats >= wantedBeats ? await taskProblem(client, tasks) : undefined;
      if (pulse.beats >= wantedBeats && lost !== unknown) verdicts.set(node, lost);
      else if (now() >= deadline) verdicts.set(node, `it was not well within ${timeoutMs / 1000} s: ${pulse.missing}`);
    }
    if (verdicts.size < patients.length) await wait(pollMs);
  }
  return verdicts;
}

export interface MasterPatient {
  readonly bundle: string;
  /** The process of the master before; undefined where it is not known any more. */
  readonly pid: number | undefined;
  /** The nodes that were ready before. */
  readonly nodes: readonly string[];
  readonly tasks: readonly string[];
}

/** What is wrong with the master; undefined when it answers from that bundle, and hears again what it heard before. */
export async function masterWell(patient: MasterPatient, options: GateOptions): Promise<string | undefined> {
  const { client, timeoutMs, signal, tell, now = Date.now, wait = delay } = options;
  const deadline = now() + timeoutMs;
  let missing = "";
  for (;;) {
    refuseCancelled(signal);
    const before = missing;
    missing = await missingOfMaster(client, patient).catch((error: unknown) => describeError(error).split("\n")[0] ?? "it does not answer");
    if (missing === "") {
      const lost = await taskProblem(client, patient.tasks);
      if (lost !== unknown) return lost;
      missing = lost;
    }
    if (now() >= deadline) return `it was not well within ${timeoutMs / 1000} s: ${missing}`;
    if (missing !== before) tell("master", missing);
    await wait(pollMs);
  }
}

async function missingOfMaster(client: Client, { bundle, pid, nodes }: MasterPatient): Promise<string> {
  const health = await client.health();
  // Masters before 0.4 do not say which bundle they run.
  const isIt = health.bundle === undefined ? health.pid !== pid : health.bundle === bundle;
  if (!isIt) return `it does not run the bundle ${short(bundle)} yet`;
  const heard = new Map((await client.nodes()).map((node) => [node.name, node]));
  const silent = nodes.filter((name) => !isHeard(heard.get(name)));
  return silent.length === 0 ? "" : `it does not hear ${silent.join(", ")} yet`;
}

function isHeard(node: NodeView | undefined): boolean {
  return node === undefined || (node.state === "ready" && node.lastHeartbeatAt !== undefined);
}

const unknown = "the master does not tell what became of the tasks";

/** Asked once the node is there: whatever it does not know by then it will never know. */
async function taskProblem(client: Client, tasks: readonly string[]): Promise<string | undefined> {
  if (tasks.length === 0) return undefined;
  try {
    // A master before 0.4 has no such list.
    const active = new Set(((await ifFound(client.attempts())) ?? []).map(({ taskId }) => taskId));
    const jobs = new Map<string, JobDetail>();
    for (const taskId of tasks) {
      const job = parseTaskId(taskId)?.job;
      if (job === undefined || jobs.has(job) || active.has(taskId)) continue;
      const detail = await ifFound(client.job(job));
      if (detail !== undefined) jobs.set(job, detail);
    }
    const lost = lostAttempts(
      tasks.filter((taskId) => !active.has(taskId)),
      jobs,
    );
    if (lost.length === 0) return undefined;
    return `${lost.length} of ${tasks.length} running tasks were not taken over (${lost.slice(0, 3).join(", ")}${lost.length > 3 ? " …" : ""})`;
  } catch {
    return unknown;
  }
}

function refuseCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled();
}

/** The attempts that run now, by node. */
export async function runningTasks(client: Client): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const { node, taskId, state } of await activeAttempts(client))
    if (state === "running" || state === "stopping") found.set(node, [...(found.get(node) ?? []), taskId]);
  return found;
}

async function activeAttempts(client: Client) {
  const listed = await ifFound(client.attempts());
  if (listed !== undefined) return listed;
  // A master before 0.4: one question a job.
  const jobs = await Promise.all((await client.jobs("running")).map(({ id }) => client.job(id)));
  return jobs.flatMap(({ indexes }) => indexes.flatMap(({ state, attempts }) => (state === "active" ? attempts.slice(-1) : [])));
}
