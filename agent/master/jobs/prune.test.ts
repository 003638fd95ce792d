import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { jobSpec } from "../../contract/workload.ts";
import type { Leader } from "../leader.ts";
import { loadPool } from "../pool/load.ts";
import { type TestLeader, testLeader } from "../testing/test-leader.ts";
import { cancelJob } from "./cancel.ts";
import { pruneJobs } from "./prune.ts";
import { submitJob } from "./submit.ts";

describe("finished jobs", () => {
  let bench: TestLeader;
  let leader: Leader;
  beforeEach(async () => {
    bench = await testLeader();
    leader = bench.leader;
  });
  afterEach(() => bench.end());

  const submit = async (name: string, options: { count?: number; finished?: boolean; command?: string[] } = {}) => {
    const spec = jobSpec.parse({ name, command: options.command ?? ["true"], resources: { cpu: 1, memory: 1 }, count: options.count ?? 1 });
    const { job } = await submitJob(leader, spec);
    if (options.finished !== false) await cancelJob(leader, job, { reason: "test" });
  };
  /** What is left in memory, which a reload of the store finds as well. */
  const left = async () => {
    await leader.writer.settled();
    const inMemory = [...leader.pool.jobs.keys()];
    expect([...(await loadPool(bench.store, leader.clock)).jobs.keys()]).toEqual(inMemory);
    return inMemory;
  };

  test("the oldest are forgotten beyond the bound, unfinished ones never", async () => {
    await submit("waits", { finished: false });
    for (const name of ["a", "b", "c", "d"]) await submit(name);
    pruneJobs(leader, { jobs: 2, indexes: 100, bytes: 1e9 });
    expect(await left()).toEqual(["waits", "c", "d"]);
  });

  test("large arrays count by their indexes", async () => {
    await submit("a", { count: 60 });
    await submit("b", { count: 60 });
    await submit("c", { count: 30 });
    pruneJobs(leader, { jobs: 10, indexes: 100, bytes: 1e9 });
    expect(await left()).toEqual(["b", "c"]);
  });

  test("large specs count by their bytes", async () => {
    await submit("a", { command: ["x".repeat(50_000)] });
    await submit("b", { command: ["x".repeat(50_000)] });
    await submit("c");
    pruneJobs(leader, { jobs: 10, indexes: 100, bytes: 60_000 });
    expect(await left()).toEqual(["b", "c"]);
  });
});
