/** Forgets the oldest finished jobs, so that memory and state are bounded. Their events stay in the journal for a while. */
import { inBackground, type Leader } from "../leader.ts";
import type { PoolJob } from "../pool/pool.ts";
import { indexKey, jobKey } from "../pool/records.ts";
import { maxOperations, type Operation } from "../state/store.ts";

export const maxFinishedJobs = 10_000;
export const maxFinishedIndexes = 200_000;
export const maxFinishedBytes = 64 * 1024 * 1024;

/** Keeps the newest finished jobs, as far as they stay within all three bounds (`bytes`: of their records). */
export function pruneJobs(leader: Leader, bounds = { jobs: maxFinishedJobs, indexes: maxFinishedIndexes, bytes: maxFinishedBytes }): void {
  const finished = [...leader.pool.jobs.values()].filter((job) => job.record.finishedAt !== undefined);
  let jobs = finished.length;
  let indexes = finished.reduce((sum, job) => sum + job.indexes.length, 0);
  let bytes = finished.reduce((sum, job) => sum + job.bytes, 0);
  for (const job of finished) {
    if (jobs <= bounds.jobs && indexes <= bounds.indexes && bytes <= bounds.bytes) return;
    jobs -= 1;
    bytes -= job.bytes;
    indexes -= job.indexes.length;
    forget(leader, job);
  }
}

/** The job's own record goes last: until then a restart finds it again and forgets it again. */
function forget(leader: Leader, job: PoolJob): void {
  const { id } = job.record;
  leader.pool.jobs.delete(id);
  leader.pool.pending.delete(job);
  const deletions: Operation[] = job.indexes.flatMap((index, position) =>
    index.attempts.length === 0 ? [] : [{ delete: indexKey(id, position) }],
  );
  deletions.push({ delete: jobKey(id) });
  inBackground(leader, `job/${id}`, async () => {
    const written: Promise<void>[] = [];
    for (let first = 0; first < deletions.length; first += maxOperations) {
      written.push(leader.writer.write("store.commit.job", deletions.slice(first, first + maxOperations)));
    }
    await Promise.all(written);
  });
}
