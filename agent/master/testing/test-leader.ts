/** A leader over a temporary SQLite store, without a listener and without agents, for tests of what it decides. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { masterConfig } from "../../contract/agent-config.ts";
import { type Leader, startLeader } from "../leader.ts";
import { openJournal } from "../state/journal.ts";
import { openSqliteStore } from "../state/sqlite.ts";
import type { Store } from "../state/store.ts";
import { manualClock } from "./manual-clock.ts";

export interface TestLeader {
  readonly leader: Leader;
  /** The store itself, also where the leader writes through `wrap`. */
  readonly store: Store;
  /** Ends the leader and removes its directory. */
  end(): Promise<void>;
}

const quiet = () => {};

/** `wrap` may put something between the leader and its store, such as a commit that fails. */
export async function testLeader({ wrap = (store: Store) => store } = {}): Promise<TestLeader> {
  const directory = await mkdtemp(join(tmpdir(), "spillway-leader-"));
  const config = masterConfig.parse({
    environment: { id: "7f6e7a53-2b3c-4a55-9f0e-1f1d8f6f0001", name: "test" },
    listen: { host: "127.0.0.1", port: 0 },
    endpoint: "https://127.0.0.1",
    stateDir: directory,
    caFile: "-",
    intermediateCertFile: "-",
    intermediateKeyFile: "-",
    adminTokenSha256: "-",
  });
  const store = openSqliteStore(join(directory, "state.db"));
  const journal = openJournal(join(directory, "journal.db"), quiet);
  const parts = { config, clock: manualClock(), log: quiet, store: wrap(store), journal, onSuperseded: quiet, onLoaded: quiet };
  const leader = await startLeader(parts);
  return {
    leader,
    store,
    async end() {
      leader.shutdown.abort();
      journal.close();
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
