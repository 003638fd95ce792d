/**
 * The burster: takes what the master has decided, applies it with Pulumi, and tells what became of it. It keeps nothing
 * in memory that it needs after a crash: the ledger says what is wanted, stacks and providers say what is there.
 */
import { availableParallelism, hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { BurstWork } from "../../agent/contract/burst-api.ts";
import { type Client, createClient } from "../../agent/contract/client.ts";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { productVersion } from "../../agent/contract/version.ts";
import type { Catalog } from "../../providers/provider.ts";
import { cachedCatalog, currentCatalog } from "../price-cache.ts";
import type { BursterConfig } from "./config.ts";
import { isNewLedger, knownLedger, rememberLedger } from "./known-ledger.ts";
import { launchBurst } from "./launch.ts";
import { cloudPlaces, offersOf } from "./offers.ts";
import { retireBurst } from "./retire.ts";
import { findPulumi, prepareBackend } from "./stack.ts";
import { type SweeperState, sweep } from "./sweep.ts";
import { bursterTunnels, machinesToReach, type TunnelTelling } from "./tunnels.ts";

const reportEveryMs = 5000;
/** Spot prices move within hours (EC2 User Guide, "View Spot Instance pricing history"). */
const pricesFreshForMs = 3_600_000;
const pricesEveryMs = 600_000;
const waitForWorkMs = 20_000;
const tunnelsEveryMs = 2000;
const retryMs = { least: 250, most: 5000, again: 1000 };
/** Engines that run at a time: each is a process of some hundred MiB, with a plugin beside it, and a launch has a time limit. */
const maxEngines = Math.min(8, Math.max(2, availableParallelism()));

interface Working {
  readonly kind: "launch" | "retire";
  readonly stop: AbortController;
}

/** Runs until the signal aborts; then what is under way is ended in order. */
export async function runBurster(
  config: BursterConfig,
  { signal, log }: { signal: AbortSignal; log: (text: string) => void },
): Promise<void> {
  const client = clientOf(config);
  // Its requests wait for a change: they are cut off when the burster ends, the other client's are not.
  const listener = clientOf(config);
  signal.addEventListener("abort", () => listener.dispose(), { once: true });
  prepareBackend(config);
  await findPulumi();
  const working = new Map<string, Working>();
  /** Those that did not come off: when they are tried again, and how often they were. */
  const waiting = new Map<string, { readonly until: number; readonly tries: number }>();
  const sweeper: SweeperState = { since: new Map(), told: new Set() };
  const running = new Set<Promise<void>>();
  const tunnels = config.reach === "reverse" ? bursterTunnels(config, { tell: tellTunnel, isEnding }) : undefined;
  let catalogs: readonly Catalog[] = cloudPlaces(config.pools).flatMap((place) => cachedCatalog(place) ?? []);
  let rows: readonly BurstRow[] | undefined;
  let revision = 0;
  let ledger: string | undefined;

  /** Its machines go, or are gone. */
  function isEnding(burst: string): boolean {
    return rows !== undefined && ["retiring", "leaked", undefined].includes(rows.find(({ id }) => id === burst)?.state);
  }

  function start(row: BurstRow, kind: Working["kind"]): void {
    const stop = new AbortController();
    working.set(row.id, { kind, stop });
    const operation = { config, client, log, signal: AbortSignal.any([signal, stop.signal]) };
    const tries = waiting.get(row.id)?.tries ?? 0;
    const act = kind === "launch" ? launchBurst(row.id, operation) : retireBurst(row, operation, tries);
    const ended = act
      .then(() => void waiting.delete(row.id))
      .catch((error: unknown) => {
        if (signal.aborted) return;
        log(`${row.id}: ${describeError(error)}`);
        waiting.set(row.id, { until: Date.now() + retryMs.again, tries: tries + 1 });
      })
      .finally(() => {
        working.delete(row.id);
        running.delete(ended);
        // The row may have moved while it was worked on.
        void refresh();
      });
    running.add(ended);
  }

  /** Answers may overtake each other; an old one is dropped. */
  function take(work: BurstWork): void {
    if (work.ledger.id === ledger && work.revision < revision) return;
    rows = work.rows;
    revision = work.revision;
    ledger = work.ledger.id;
    if (knownLedger(config) === undefined) rememberLedger(config, ledger);
    for (const id of waiting.keys()) if (!rows.some((row) => row.id === id && wantedOf(row) !== undefined)) waiting.delete(id);
    for (const row of rows) {
      const now = working.get(row.id);
      const kind = wantedOf(row);
      if (now !== undefined) {
        if (now.kind === "launch" && kind !== "launch") now.stop.abort();
        continue;
      }
      if (kind === undefined || working.size >= maxEngines || (waiting.get(row.id)?.until ?? 0) > Date.now()) continue;
      start(row, kind);
    }
  }

  async function takeWork(): Promise<void> {
    let after: number | undefined;
    let pauseMs = retryMs.least;
    while (!signal.aborted) {
      try {
        const work = await listener.burstWork(after === undefined ? {} : { after, waitMs: waitMs() });
        after = work.revision;
        pauseMs = retryMs.least;
        take(work);
      } catch (error) {
        if (signal.aborted) return;
        log(`the master can't be asked: ${describeError(error)}`);
        await pause(pauseMs, signal);
        pauseMs = Math.min(retryMs.most, pauseMs * 2);
      }
    }
  }

  /** What waits for another try, or for an engine, is looked at soon; without that the master tells when there is something. */
  function waitMs(): number {
    return waiting.size > 0 ? retryMs.least * 2 : waitForWorkMs;
  }

  async function repeat(everyMs: number, act: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await act().catch((error: unknown) => log(describeError(error)));
      await pause(everyMs, signal);
    }
  }

  async function refresh(): Promise<void> {
    if (signal.aborted) return;
    try {
      take(await client.burstWork());
    } catch {
      // The loop that asks all the time says so.
    }
  }

  const sayWhoIAm = () =>
    client
      .reportBurster({
        holder: config.holder,
        host: hostname(),
        pid: process.pid,
        version: productVersion,
        offers: offersOf(config.pools, catalogs),
      })
      .then(() => undefined);

  /** What is kept on this computer counts at once; what is older than it may be is asked for anew. */
  const learnPrices = async () => {
    for (const place of cloudPlaces(config.pools)) {
      const catalog = await currentCatalog(place, { freshForMs: pricesFreshForMs, onDoubt: log, signal }).catch((error: unknown) =>
        log(describeError(error)),
      );
      if (catalog !== undefined)
        catalogs = [...catalogs.filter(({ provider, region }) => provider !== place.cloud || region !== place.region), catalog];
    }
  };

  const sweepOnce = async () => {
    // Before anything was read there is no ledger that could be another one.
    if (rows === undefined) return;
    const readLedger = async () => {
      const work = await client.burstWork();
      return { id: work.ledger.id, rows: work.rows };
    };
    const look = await sweep(sweeper, { config, client, log, signal, readLedger, busy: () => new Set(working.keys()) });
    if (look?.ledger === undefined) return;
    if (look.isSettled && isNewLedger(config, look.ledger.id)) rememberLedger(config, look.ledger.id);
    for (const row of look.ledger.rows)
      if (row.state === "leaked" && !working.has(row.id) && working.size < maxEngines) start(row, "retire");
  };

  /** The master may be away: then it hears of the next change, and the log has this one. */
  function tellTunnel(telling: TunnelTelling): void {
    log(telling.message);
    client.tellBurst({ holder: config.holder, ...telling }).catch((error: unknown) => log(describeError(error)));
  }

  const holdTunnels = async () => {
    const wanted = machinesToReach(config, log);
    if (wanted !== undefined) tunnels?.want(wanted);
  };

  await Promise.all([
    ...(tunnels === undefined ? [] : [repeat(tunnelsEveryMs, holdTunnels)]),
    repeat(reportEveryMs, sayWhoIAm),
    takeWork(),
    repeat(config.sweep.everyMs, sweepOnce),
    repeat(pricesEveryMs, learnPrices),
  ]);
  await Promise.allSettled(running);
  // Last, so that agents are without their master for no longer than it takes to start another burster.
  tunnels?.close();
  client.dispose();
}

function clientOf({ endpoint, caCert, adminToken, environment }: BursterConfig): Client {
  return createClient({ url: endpoint, ca: caCert, token: adminToken, environment });
}

function wantedOf({ state }: BurstRow): Working["kind"] | undefined {
  if (state === "intent" || state === "launching") return "launch";
  return state === "retiring" ? "retire" : undefined;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw new SpillwayError("bug: a pause ended early", { code: "bug", cause: error });
  }
}
