import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { masterConfig } from "../../contract/agent-config.ts";
import { jobSpec } from "../../contract/workload.ts";
import { type Leader, startLeader } from "../leader.ts";
import { loadPool } from "../pool/load.ts";
import { openJournal } from "../state/journal.ts";
import { openSqliteStore } from "../state/sqlite.ts";
import type { Store } from "../state/store.ts";
import { manualClock } from "../testing/manual-clock.ts";
import { cancelJob } from "./cancel.ts";
import { pruneJobs } from "./prune.ts";
import { submitJob } from "./submit.ts";

describe("finished jobs", () => {
  let directory: string;
  let store: Store;
  let leader: Leader;
  const quiet = () => {};
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "spillway-prune-"));
    const config = masterConfig.parse({
      environment: { id: "e", name: "e" },
      listen: { host: "127.0.0.1", port: 0 },
      endpoint: "https://127.0.0.1",
      stateDir: directory,
      caFile: "-",
      intermediateCertFile: "-",
      intermediateKeyFile: "-",
      adminTokenSha256: "-",
    });
    store = openSqliteStore(join(directory, "state.db"));
    const journal = openJournal(join(directory, "journal.db"), quiet);
    leader = await startLeader({ config, clock: manualClock(), log: quiet, store, journal, onSuperseded: quiet, onLoaded: quiet });
  });
  afterEach(async () => {
    leader.shutdown.abort();
    leader.journal.close();
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  const submit = async (name: string, options: { count?: number; finished?: boolean; command?: string[] } = {}) => {
    const spec = jobSpec.parse({ name, command: options.command ?? ["true"], resources: { cpu: 1, memory: 1 }, count: options.count ?? 1 });
    const { job } = await submitJob(leader, spec);
    if (options.finished !== false) await cancelJob(leader, job, { reason: "test" });
  };
  /** What is left in memory, which a reload of the store finds as well. */
  const left = async () => {
    await leader.writer.settled();
    const inMemory = [...leader.pool.jobs.keys()];
    expect([...(await loadPool(store, leader.clock)).jobs.keys()]).toEqual(inMemory);
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
