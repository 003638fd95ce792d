/** What each node did for a set of jobs, from the recorded attempts. */
import type { Attempt, JobDetail } from "../../agent/contract/workload.ts";

export interface NodeTotals {
  readonly node: string;
  /** Recorded successes. */
  readonly succeeded: number;
  /** Attempts that failed, were lost or cancelled. */
  readonly otherAttempts: number;
  /** Cores × seconds that its attempts held. */
  readonly cpuSeconds: number;
  /** The most that ran at the same time: millicores and MiB. */
  readonly peakCpu: number;
  readonly peakMemory: number;
}

interface Held {
  readonly attempt: Attempt;
  readonly cpu: number;
  readonly memory: number;
}

/** One entry per node that ran an attempt, by name. */
export function nodeTotals(details: readonly JobDetail[]): NodeTotals[] {
  const byNode = new Map<string, Held[]>();
  for (const detail of details) {
    const { cpu, memory } = detail.spec.resources;
    for (const attempt of detail.indexes.flatMap((index) => index.attempts)) {
      const held = byNode.get(attempt.node) ?? [];
      held.push({ attempt, cpu, memory });
      byNode.set(attempt.node, held);
    }
  }
  return [...byNode].toSorted(([a], [b]) => a.localeCompare(b)).map(([node, held]) => totalsOf(node, held));
}

function totalsOf(node: string, held: readonly Held[]): NodeTotals {
  const succeeded = held.filter(({ attempt }) => attempt.state === "succeeded").length;
  const changes: { at: number; sign: 1 | -1; cpu: number; memory: number }[] = [];
  let cpuMs = 0;
  for (const { attempt, cpu, memory } of held) {
    if (attempt.startedAt === undefined || attempt.finishedAt === undefined) continue;
    cpuMs += cpu * (attempt.finishedAt - attempt.startedAt);
    changes.push({ at: attempt.startedAt, sign: 1, cpu, memory }, { at: attempt.finishedAt, sign: -1, cpu, memory });
  }
  // of the same ms, what ends makes room for what starts
  changes.sort((a, b) => a.at - b.at || a.sign - b.sign);
  let cpu = 0;
  let memory = 0;
  let peakCpu = 0;
  let peakMemory = 0;
  for (const change of changes) {
    cpu += change.sign * change.cpu;
    memory += change.sign * change.memory;
    peakCpu = Math.max(peakCpu, cpu);
    peakMemory = Math.max(peakMemory, memory);
  }
  return { node, succeeded, otherAttempts: held.length - succeeded, cpuSeconds: cpuMs / 1e6, peakCpu, peakMemory };
}

/** Indexes that have not exactly one recorded success, as task names: none when all is well. */
export function withoutOneSuccess(details: readonly JobDetail[]): string[] {
  return details.flatMap((detail) =>
    detail.indexes
      .filter((index) => index.attempts.filter((attempt) => attempt.state === "succeeded").length !== 1)
      .map((index) => (detail.spec.count > 1 ? `${detail.id}[${index.index}]` : detail.id)),
  );
}
