/** Takes a job: checks that some node could ever run it, gives it a name, and writes it down before it is acknowledged. */
import { randomInt } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { SpillwayError } from "../../contract/errors.ts";
import { addResources, noResources, shortages } from "../../contract/resources.ts";
import type { JobSpec } from "../../contract/workload.ts";
import { offersOf } from "../burst/burster.ts";
import { assertWritable, type Leader, tell } from "../leader.ts";
import { addJob, capacityOf, type PoolJob } from "../pool/pool.ts";
import { type JobRecord, jobKey } from "../pool/records.ts";
import { count } from "../pool/views.ts";
import { amountOf, amountText } from "../scheduler/place.ts";
import { maxValueBytes } from "../state/store.ts";
import { pruneJobs } from "./prune.ts";

/** Indexes of unfinished jobs the master takes at most, so that its memory is bounded. */
export const maxOpenIndexes = 200_000;
/** Room for what a record gains while its job lives: its cancellation and its end. */
const recordReserveBytes = 4096;
const nameAlphabet = "abcdefghijkmnpqrstuvwxyz23456789";

/**
 * Resolves when the job is durable; `created` is false when the same job was there already. Throws a SpillwayError:
 * `closing`, `job-exists` (the name with another spec), `unknown-node-pool`, `never-fits`, `job-too-large`,
 * `too-many-tasks`.
 */
export async function submitJob(leader: Leader, given: JobSpec): Promise<{ job: PoolJob; created: boolean }> {
  // The addition merges GPUs of one model that are listed twice.
  const spec: JobSpec = { ...given, resources: addResources(noResources, given.resources) };
  const existing = spec.name === undefined ? undefined : leader.pool.jobs.get(spec.name);
  if (existing !== undefined) {
    if (!isDeepStrictEqual(existing.record.spec, spec)) {
      throw new SpillwayError(`a job named ${spec.name} exists and differs`, {
        code: "job-exists",
        hint: "Give this one another name, or none.",
      });
    }
    await leader.writer.settled();
    return { job: existing, created: false };
  }
  assertWritable(leader);
  if (leader.pool.closing !== undefined) {
    throw new SpillwayError("the environment is closing and takes no more jobs", {
      code: "closing",
      hint: `Reason: ${leader.pool.closing.reason}.`,
    });
  }
  assertFitsSomewhere(leader, spec);
  let open = spec.count;
  for (const job of leader.pool.jobs.values()) open += job.counts.pending + job.counts.active;
  if (open > maxOpenIndexes) {
    throw new SpillwayError(`more than ${maxOpenIndexes} tasks would be open`, {
      code: "too-many-tasks",
      hint: "Submit it again when others have finished.",
    });
  }
  const id = spec.name ?? madeUpName(leader);
  const record: JobRecord = { id, spec, seq: leader.pool.nextJobSeq, submittedAt: leader.clock.now() };
  if (Buffer.byteLength(JSON.stringify(record)) > maxValueBytes - recordReserveBytes) {
    throw new SpillwayError(`the job's command and environment are larger than ${(maxValueBytes - recordReserveBytes) / 1024} KiB`, {
      code: "job-too-large",
      hint: "Put the data into a file and name it in the command.",
    });
  }
  const job = addJob(leader.pool, record);
  await leader.writer.write("store.commit.job", [{ put: { key: jobKey(id), value: record } }]);
  tell(leader, {
    kind: "job-submitted",
    subject: `job/${id}`,
    message: `Job ${id} was submitted: ${count(spec.count, "task")}, each ${neededText(spec)}, priority ${spec.priority}`,
    data: { count: spec.count, resources: spec.resources, priority: spec.priority, retries: spec.retries },
  });
  leader.requestRound();
  pruneJobs(leader);
  return { job, created: true };
}

/** A job that only has to wait is accepted; one that no node of its pool, idle or yet to be bought, could take is not. */
function assertFitsSomewhere(leader: Leader, spec: JobSpec): void {
  const all = [...leader.pool.nodes.values()];
  const nodes = spec.nodePool === undefined ? all : all.filter((node) => node.record.declaration.pool === spec.nodePool);
  const bursts = leader.pool.burstPolicy !== undefined;
  const offers = bursts ? offersOf(leader) : [];
  // While no burster is heard, nobody knows what could be bought.
  if (bursts && offers.length === 0) return;
  const buyable = spec.nodePool === undefined ? offers : offers.filter(({ burstPool }) => burstPool === spec.nodePool);
  if (spec.nodePool !== undefined && nodes.length === 0 && buyable.length === 0) {
    const pools = [
      ...new Set([...all.map((node) => node.record.declaration.pool), ...offers.map(({ burstPool }) => burstPool)]),
    ].toSorted();
    throw new SpillwayError(`there is no node pool "${spec.nodePool}"`, {
      code: "unknown-node-pool",
      hint: pools.length === 0 ? "This environment has no node yet." : `There are: ${pools.join(", ")}.`,
    });
  }
  const capacities = [
    ...nodes.map((node) => ({ name: node.record.name, capacity: capacityOf(node.record) })),
    ...buyable.map(({ id, shape }) => ({ name: id, capacity: shape })),
  ];
  // A node whose size is not known yet may be large enough.
  if (capacities.length === 0 || capacities.some(({ capacity }) => capacity === undefined)) return;
  const known = capacities.flatMap(({ name, capacity }) => (capacity === undefined ? [] : [{ name, capacity }]));
  if (known.some(({ capacity }) => shortages(spec.resources, capacity).length === 0)) return;
  const short = [...new Set(known.flatMap(({ capacity }) => shortages(spec.resources, capacity)))];
  const biggest = short.map((name) => {
    const best = known.reduce((a, b) => (amountOf(b.capacity, name) > amountOf(a.capacity, name) ? b : a));
    return `${amountText(best.capacity, name)} (${best.name})`;
  });
  const where = spec.nodePool === undefined ? "" : ` of the node pool ${spec.nodePool}`;
  throw new SpillwayError(
    `no node${where} could ever run it: it needs ${short.map((name) => amountText(spec.resources, name)).join(", ")}; the biggest have ${biggest.join(", ")}`,
    { code: "never-fits", hint: "Ask for less, or add a bigger node to the environment." },
  );
}

function neededText(spec: JobSpec): string {
  const names = ["cpu", "memory", ...(spec.resources.disk > 0 ? ["disk"] : []), ...spec.resources.gpus.map((gpu) => `gpu ${gpu.model}`)];
  return names.map((name) => amountText(spec.resources, name)).join(", ");
}

function madeUpName(leader: Leader): string {
  while (true) {
    const name = `job-${Array.from({ length: 5 }, () => nameAlphabet[randomInt(nameAlphabet.length)]).join("")}`;
    if (!leader.pool.jobs.has(name)) return name;
  }
}
