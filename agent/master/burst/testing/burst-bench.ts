/** A leader that bursts, on a store in memory that outlives it, with a burster and nodes that do what a test says. */
import { masterConfig } from "../../../contract/agent-config.ts";
import type { PoolEvent } from "../../../contract/api.ts";
import type { BurstEvent, BurstRow } from "../../../contract/ledger.ts";
import type { Offer } from "../../../contract/plan.ts";
import type { BurstPolicy } from "../../../contract/policy.ts";
import { jobSpec } from "../../../contract/workload.ts";
import { endAttempt } from "../../jobs/end-attempt.ts";
import { submitJob } from "../../jobs/submit.ts";
import { type Leader, startLeader } from "../../leader.ts";
import { declareNode, removeNode } from "../../lifecycle/nodes.ts";
import { finishWhatWasCutShort } from "../../main.ts";
import { activeAttempt } from "../../pool/pool.ts";
import { nodeKey } from "../../pool/records.ts";
import { runRound } from "../../scheduler/rounds.ts";
import { type ManualClock, manualClock } from "../../testing/manual-clock.ts";
import { memoryJournal } from "../../testing/memory-journal.ts";
import { type MemoryStore, memoryStore } from "../../testing/memory-store.ts";
import { aDeclaration } from "../../testing/test-master.ts";
import { heardBurster } from "../burster.ts";
import { noteJoin } from "../facts.ts";
import { setPolicy } from "../operator.ts";
import { plan } from "../plan.ts";
import type { Planner } from "../planner.ts";
import { takeBurstReport } from "../report.ts";
import { runBurstRound } from "../rounds.ts";
import { anOffer, aPolicy, noon } from "./builders.ts";

export const holder = "burster-1";

export interface BurstBench {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly events: readonly PoolEvent[];
  /** The present one. */
  leader(): Leader;
  /** What the burster says of itself from now on, and once now. */
  heard(offers?: readonly Offer[]): Promise<void>;
  submit(name: string, fields?: { cpu?: number; count?: number; priority?: number }): Promise<void>;
  /** A plan, made and applied. */
  round(): Promise<void>;
  rows(): BurstRow[];
  row(id: string): BurstRow;
  /** The only row that is not gone. */
  only(): BurstRow;
  report(id: string, event: BurstEvent, from?: string): Promise<BurstRow>;
  /** From an intent to nodes in the pool that are ready. */
  bringUp(id: string): Promise<void>;
  joinNodes(row: BurstRow): Promise<void>;
  /** What the scheduler places now. */
  place(): Promise<void>;
  /** Every task on these nodes succeeds. */
  finish(nodes: readonly string[]): Promise<void>;
  /** The nodes of a row are removed and it is gone. */
  takeDown(id: string): Promise<void>;
  /** Another leader on the same store, as after a crash: the burster has to be heard again, and nodes to say hello. */
  restart(): Promise<void>;
}

export interface BenchOptions {
  readonly policy?: BurstPolicy;
  readonly planner?: () => Planner;
  readonly clock?: ManualClock;
}

export async function burstBench({
  policy = aPolicy(),
  planner = inlinePlanner,
  clock = manualClock(noon),
}: BenchOptions = {}): Promise<BurstBench> {
  const store = memoryStore();
  const journal = memoryJournal();
  const quiet = () => {};
  const config = masterConfig.parse({
    environment: { id: "7f6e7a53-2b3c-4a55-9f0e-1f1d8f6f0001", name: "test" },
    listen: { host: "127.0.0.1", port: 0 },
    endpoint: "https://127.0.0.1",
    stateDir: "-",
    caFile: "-",
    intermediateCertFile: "-",
    intermediateKeyFile: "-",
    adminTokenSha256: "-",
  });
  const start = async () => {
    const started = await startLeader({
      config,
      clock,
      log: quiet,
      store,
      journal,
      onSuperseded: quiet,
      onLoaded: finishWhatWasCutShort,
    });
    started.bursting.planner = planner();
    return started;
  };
  let leader = await start();
  let offers: readonly Offer[] = [anOffer("small", 1)];

  const bench: BurstBench = {
    clock,
    store,
    events: journal.events,
    leader: () => leader,
    async heard(given = offers) {
      offers = given;
      await heardBurster(leader, { holder, host: "here", pid: 1, version: "0", offers: [...offers] });
    },
    async submit(name, { cpu = 4000, count = 1, priority = 50 } = {}) {
      await submitJob(leader, jobSpec.parse({ name, command: ["true"], resources: { cpu, memory: cpu }, count, priority }));
    },
    async round() {
      await runBurstRound(leader);
    },
    rows: () => [...leader.pool.bursts.values()],
    row(id) {
      const found = leader.pool.bursts.get(id);
      if (found === undefined) throw new Error(`there is no row ${id}`);
      return found;
    },
    only() {
      const [first, ...others] = bench.rows().filter(({ state }) => state !== "gone");
      if (first === undefined || others.length > 0) throw new Error(`${others.length + (first === undefined ? 0 : 1)} rows are not gone`);
      return first;
    },
    report: (id, event, from = holder) => takeBurstReport(leader, id, { holder: from, event }),
    async bringUp(id) {
      await bench.report(id, { type: "launch" });
      await bench.report(id, { type: "launched" });
      await bench.joinNodes(bench.row(id));
    },
    async joinNodes(row) {
      for (const name of row.nodes) {
        const declared = aDeclaration({ pool: row.burstPool, burst: row.id, capacity: row.shape, price: { hourly: row.hourly } });
        const node = await declareNode(leader, name, declared);
        node.record = {
          ...node.record,
          seen: { facts: someFacts, measured: row.shape, agentVersion: "0", bundle: "-", firstAt: clock.now() },
        };
        await leader.writer.write("store.commit.node", [{ put: { key: nodeKey(name), value: node.record } }]);
        node.state = "ready";
        leader.controls.set(name, { node: name, keySha256: "", sentRuns: new Set(), send: quiet, close: quiet, leave: quiet });
        noteJoin(leader, name);
      }
      await leader.writer.settled();
    },
    async place() {
      runRound(leader);
      await leader.writer.settled();
    },
    async finish(nodes) {
      for (const job of leader.pool.jobs.values())
        for (const [position, index] of job.indexes.entries()) {
          const active = activeAttempt(index);
          if (active !== undefined && nodes.includes(active.node)) await endAttempt(leader, job, position, { state: "succeeded" });
        }
    },
    async takeDown(id) {
      for (const name of bench.row(id).nodes) await removeNode(leader, name);
      await bench.report(id, { type: "gone" });
    },
    async restart() {
      leader.shutdown.abort();
      store.revive();
      leader = await start();
      await leader.writer.settled();
    },
  };
  await setPolicy(leader, policy);
  await bench.heard();
  return bench;
}

/** The planner without its thread; what it is given could have been sent to one. */
export function inlinePlanner(): Planner {
  return { plan: async (input) => plan(structuredClone(input)), end: async () => {} };
}

const someFacts = {
  hostname: "h",
  os: "linux",
  arch: "x64",
  kernel: "6",
  bootId: "b",
  cpuCount: 4,
  memoryMiB: 4096,
  diskFreeMiB: 1000,
  enforced: [],
};
