/** What the tests of troubled clouds share: jobs that need a machine of a burst, and waits for what becomes of it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "../../../agent/contract/client.ts";
import type { BurstRow } from "../../../agent/contract/ledger.ts";
import { waitUntil } from "../../support/wait-until.ts";

export interface BurstTroubleOptions {
  /** It may be connected later than this is made. */
  readonly client: () => Client;
  /** As the burst pool has it. */
  readonly launchTimeoutMs: number;
}

export function burstTrouble({ client, launchTimeoutMs }: BurstTroubleOptions) {
  let jobs = 0;
  const rows = async (): Promise<readonly BurstRow[]> => (await client().bursts({ all: true })).rows;
  /** The rows since that number of them. */
  const newRows = async (before: number) => (await rows()).toSorted((a, b) => (a.at.intent ?? 0) - (b.at.intent ?? 0)).slice(before);
  const longMs = launchTimeoutMs + 60_000;

  return {
    rows,
    newRows,

    /** A task that only a machine of the burst pool may run, so that one is bought for it. Returns the job's id. */
    async needOne(seconds: number, cpu = 1000): Promise<string> {
      jobs += 1;
      const name = `job-${jobs}`;
      const resources = { cpu, memory: 64 };
      await client().submitJob({ name, command: ["sleep", String(seconds)], resources, retries: 3, graceMs: 500, nodePool: "overflow" });
      return name;
    },

    async untilFailed(before: number, timeoutMs: number): Promise<BurstRow & { failure: string }> {
      let failed: (BurstRow & { failure: string }) | undefined;
      const hasFailed = async () => {
        const found = (await newRows(before)).find(({ failure }) => failure !== undefined);
        if (found?.failure !== undefined) failed = { ...found, failure: found.failure };
        return failed !== undefined;
      };
      await waitUntil("a burst has failed", hasFailed, timeoutMs);
      if (failed === undefined) throw new Error("no row");
      return failed;
    },

    untilLive: (before: number) =>
      waitUntil("a burst is live", async () => (await newRows(before)).some(({ state }) => state === "live"), longMs),
    untilSettled: () =>
      waitUntil("every burst is settled", async () => (await rows()).every(({ state }) => state === "live" || state === "gone"), 30_000),
    untilRuns: (id: string) => waitUntil(`${id} runs`, async () => (await client().job(id)).counts.active === 1, longMs),
    untilSucceeded: (id: string) => waitUntil(`${id} has succeeded`, async () => (await client().job(id)).state === "succeeded", longMs),
    /** Without those bursts. */
    untilGone: (except: readonly BurstRow[] = []) =>
      waitUntil(
        "every burst is gone",
        async () => (await rows()).every(({ id, state }) => state === "gone" || except.some((one) => one.id === id)),
        launchTimeoutMs + 90_000,
      ),

    async cancelAll(): Promise<void> {
      for (const { id } of [...(await client().jobs("pending")), ...(await client().jobs("running"))]) await client().cancelJob(id);
    },
  };
}

/** In the copy that is tested: nobody waits for a quarter of an hour to see that a machine is leaked. */
export function shortenTeardown(directory: string): void {
  const changes = [
    ["offers", "aws: 600_000", "aws: 60_000"],
    ["offers", "azure: 900_000", "azure: 30_000"],
    ["machines", "endPatienceMs = 120_000", "endPatienceMs = 25_000"],
  ] as const;
  for (const [name, from, to] of changes) {
    const file = join(directory, `stacks/burst/${name}.ts`);
    const text = readFileSync(file, "utf8");
    if (!text.includes(from)) throw new Error(`${file} has no "${from}"`);
    writeFileSync(file, text.replace(from, to));
  }
}
