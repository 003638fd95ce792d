/** The master: holds the pool, takes jobs, places their tasks on nodes. `runMaster` is what `agent/main.ts master` calls. */
import { join } from "node:path";
import type { MasterConfig } from "../contract/agent-config.ts";
import { describeError, SpillwayError } from "../contract/errors.ts";
import { createApi } from "./api/app.ts";
import { readConfigured } from "./auth/intermediate.ts";
import { dropEndedTokens } from "./auth/join.ts";
import { servingHosts } from "./auth/own-certificate.ts";
import { startSigning } from "./auth/signing.ts";
import { ledgerChanged } from "./burst/ledger.ts";
import { ledgerIdentityOf } from "./burst/ledger-identity.ts";
import { pruneBursts } from "./burst/prune.ts";
import { startBurstRounds } from "./burst/rounds.ts";
import { windDown } from "./burst/wind-down.ts";
import { type Clock, systemClock } from "./clock.ts";
import { cancelAll } from "./jobs/closing.ts";
import { pruneJobs } from "./jobs/prune.ts";
import { inBackground, type Leader, startLeader, tell } from "./leader.ts";
import { startDrains } from "./lifecycle/cordon-drain.ts";
import { startNodeTimers } from "./lifecycle/node-state.ts";
import { giveUpOrphans } from "./lifecycle/nodes.ts";
import { noteAuthority } from "./lifecycle/rekeyed.ts";
import { type Log, stderrLog } from "./log.ts";
import { startRounds } from "./scheduler/rounds.ts";
import { startServer } from "./server.ts";
import { openJournal } from "./state/journal.ts";
import { openSqliteStore } from "./state/sqlite.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** How long a start that found the disk full waits before it tries again. */
const retryStartMs = 1000;

const endedBySignalExitCode = 143;

export interface RunningMaster {
  readonly port: number;
  stop(): Promise<void>;
}

export interface MasterOptions {
  readonly clock?: Clock;
  readonly log?: Log;
  /** Ends a start that waits for room on the disk. */
  readonly signal?: AbortSignal;
  /** Bounds the size of the store (tests of a full disk). */
  readonly maxStorePages?: number;
  /** Digest of the bundle it runs; told by its health. */
  readonly bundle?: string;
  /** Another master has taken over the state directory; this one should be stopped. */
  readonly onSuperseded?: (fault: SpillwayError) => void;
}

/**
 * Runs a master until SIGTERM or SIGINT, then shuts down cleanly and lets the process exit with 143: what restarts masters
 * takes 0 for "done for good", and who wants one stopped stops that. Rejects with a SpillwayError when it can't start
 * (`port-in-use`, `file-unreadable`, `store-corrupt` …) or when another master takes over its state (`superseded`).
 */
export async function runMaster(config: MasterConfig, { bundle }: Required<Pick<MasterOptions, "bundle">>): Promise<void> {
  const ending = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onSignal = () => {
    process.exitCode = endedBySignalExitCode;
    ending.abort();
    resolve();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  try {
    const master = await startMaster(config, { bundle, signal: ending.signal, onSuperseded: reject });
    stderrLog("info", "master", `listens on ${config.listen.host}:${master.port} for ${config.endpoint}`);
    try {
      await promise;
    } finally {
      await master.stop();
    }
    stderrLog("info", "master", "stopped");
  } catch (error) {
    if (!ending.signal.aborted) throw error;
  } finally {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  }
}

/** Starts a master and resolves when it leads its pool. With `listen.port` 0 any free port is taken. */
export async function startMaster(config: MasterConfig, options: MasterOptions = {}): Promise<RunningMaster> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? stderrLog;
  const rootCa = await readConfigured(config.caFile);
  const hosts = servingHosts(config);
  const signing = await startSigning({ config, rootCa, hosts, clock, log });

  let leading: Leader | undefined;
  let startFault = new SpillwayError("the master is starting", { code: "starting", hint: "Try again in a moment." });
  const leader = (): Leader => {
    if (leading === undefined) throw startFault;
    return leading;
  };
  const own = { hosts, origin: new URL(config.endpoint).origin };
  const api = createApi(
    { leader, rootCa, issuer: signing.issuer, bundle: options.bundle },
    { own, adminTokenSha256: config.adminTokenSha256, log },
  );
  // The port first: of two masters by mistake, the second ends here and leaves the first one's state alone.
  const server = await startServer({ listen: config.listen, certificate: signing.serving(), rootCa, own, api, leader, log });
  const endings: (() => void | Promise<void>)[] = [() => server.close()];

  async function stop(): Promise<void> {
    leading?.shutdown.abort();
    for (const end of endings.splice(0)) await end();
  }

  try {
    const store = await patiently(() => openSqliteStore(join(config.stateDir, "state.db"), storeOptions(options)));
    endings.push(() => store.close());
    const journal = await patiently(() => openJournal(join(config.stateDir, "journal.db"), log));
    endings.push(() => journal.close());
    leading = await patiently(() =>
      startLeader({
        config,
        clock,
        log,
        store,
        journal,
        onSuperseded: (fault) => (options.onSuperseded ?? (() => {}))(fault),
        onLoaded: finishWhatWasCutShort,
      }),
    );
    const started = leading;
    endings.unshift(
      startRounds(started),
      startBurstRounds(started),
      startNodeTimers(started),
      startDrains(started),
      clock.every(minuteMs, () => dropEndedTokens(started)),
      signing.keep({
        serve: server.renewCertificate,
        tell: (kind, message) => tell(started, { kind, subject: "environment", message }),
      }),
      clock.every(hourMs, () => pruneBursts(started)),
    );
    started.requestRound();
    return { port: server.port, stop };
  } catch (error) {
    await stop();
    throw error;
  }

  /** A full disk is waited out, told once and answered with, instead of a crash loop. */
  async function patiently<T>(act: () => T | Promise<T>): Promise<T> {
    while (true) {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof SpillwayError) || error.code !== "store-full" || options.signal?.aborted === true) throw error;
        if (startFault.code !== error.code) log("error", "master", describeError(error));
        startFault = error;
        const { promise, resolve } = Promise.withResolvers<void>();
        const cancel = clock.after(retryStartMs, resolve);
        options.signal?.addEventListener("abort", () => resolve(), { once: true });
        await promise;
        cancel();
      }
    }
  }
}

/** Begins anew what a crash, or a store that failed, has left half done. */
export function finishWhatWasCutShort(leader: Leader): void {
  inBackground(leader, "authority", () => noteAuthority(leader));
  inBackground(leader, "closing", () => cancelAll(leader));
  inBackground(leader, "master", () => giveUpOrphans(leader));
  pruneJobs(leader);
  ledgerIdentityOf(leader);
  pruneBursts(leader);
  inBackground(leader, "bursts", () => windDown(leader));
  // Rows may be others than they were before the state was read anew.
  ledgerChanged(leader);
}

function storeOptions({ maxStorePages }: MasterOptions) {
  return maxStorePages === undefined ? {} : { maxPages: maxStorePages };
}
