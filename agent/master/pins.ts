/** What this machine's master knows of machines and bursts, for whoever has to adopt them because the operator's state was lost. */
import { join } from "node:path";
import type { MasterConfig } from "../contract/agent-config.ts";
import type { PinLine } from "../contract/pins.ts";
import { burstRecords, nodeRecord, prefixes } from "./pool/records.ts";
import { readSqliteEntries } from "./state/read-sqlite.ts";

/** Read off its records on the disk, also while it runs. What can't be understood is left out: the rest is worth having. */
export function knownPins({ stateDir }: Pick<MasterConfig, "stateDir">): PinLine[] {
  const file = join(stateDir, "state.db");
  const nodes = readSqliteEntries(file, prefixes.node).flatMap(({ value }): PinLine[] => {
    const record = nodeRecord.safeParse(value).data;
    if (record === undefined) return [];
    const { pool, host, port, user, hostKey, burst } = record.declaration;
    return [{ kind: "node", name: record.name, pool, host, port, user, hostKey, burst }];
  });
  const bursts = readSqliteEntries(file, prefixes.burst).flatMap(({ value }): PinLine[] => {
    const row = burstRecords.row.safeParse(value).data;
    if (row === undefined || row.state === "gone") return [];
    return [{ kind: "burst", id: row.id, state: row.state, nodes: row.nodes, hourly: row.hourly }];
  });
  return [...nodes, ...bursts];
}
