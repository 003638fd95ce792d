/** Where the tasks of a job are now. */
import type { Client } from "../../agent/contract/client.ts";

/** The last attempt of each index; `pending` for one that has none. */
export async function lastAttempts(client: Client, jobId: string): Promise<{ taskId: string; node: string; state: string }[]> {
  const { indexes } = await client.job(jobId);
  return indexes.map(({ attempts }) => attempts.at(-1) ?? { taskId: "", node: "", state: "pending" });
}
