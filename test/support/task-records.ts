/** What tasks wrote about themselves, read from their logs, and whether a node was ever given more than it has. */
import { createClient } from "../../agent/contract/client.ts";
import { type Checkout, readContext } from "./checkout.ts";

export interface TaskRecord {
  readonly job: string;
  readonly index: number;
  readonly node: string;
  /** ms since the epoch, by the task's own clock. */
  readonly start: number;
  readonly end: number;
  /** Millicores. */
  readonly cpu: number;
  /** MiB. */
  readonly memory: number;
  /** How many attempts the master has recorded as successes. */
  readonly successes: number;
}

/** The records of all jobs whose name ends in `-<four digits>`: those of a submitted trace. */
export async function recordsOf(checkout: Checkout): Promise<TaskRecord[]> {
  const { url, ca, token } = readContext(checkout);
  const client = createClient({ url, ca, token });
  const records: TaskRecord[] = [];
  for (const { id } of await client.jobs()) {
    if (!/-\d{4}$/.test(id)) continue;
    const job = await client.job(id);
    for (const { index, attempts } of job.indexes) {
      let text = "";
      for await (const line of client.logs(id, { index, follow: false })) {
        if ("data" in line && line.channel === "stdout") text += Buffer.from(line.data, "base64").toString("utf8");
      }
      const successes = attempts.filter((attempt) => attempt.state === "succeeded").length;
      records.push({ ...(JSON.parse(text.trim().split("\n").at(-1) ?? "") as Omit<TaskRecord, "successes">), successes });
    }
  }
  client.dispose();
  return records;
}

/** Moments at which the tasks that ran on a node together held more than its capacity, as sentences. */
export function peaksOver(records: readonly TaskRecord[], capacity: Record<string, { cpu: number; memory: number }>): string[] {
  const over: string[] = [];
  for (const [node, limit] of Object.entries(capacity)) {
    const here = records.filter((record) => record.node === node);
    for (const { start } of here) {
      const together = here.filter((record) => record.start <= start && start < record.end);
      const cpu = together.reduce((sum, record) => sum + record.cpu, 0);
      const memory = together.reduce((sum, record) => sum + record.memory, 0);
      if (cpu > limit.cpu || memory > limit.memory)
        over.push(`${node} at ${start}: ${cpu} millicores, ${memory} MiB of ${JSON.stringify(limit)}`);
    }
  }
  return over;
}
