/**
 * A master that starts under another root CA than before: the environment was adopted after its state was lost. Agents of
 * the former root can't be heard until each was given a new certificate, so for a while their silence is nobody's loss.
 */
import { createHash, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { formatDuration } from "../../contract/quantities.ts";
import { assertWritable, type Leader, tell } from "../leader.ts";
import type { PoolNode } from "../pool/pool.ts";
import { type AuthorityRecord, authorityKey } from "../pool/records.ts";

/** Hundreds of nodes are joined anew by then, 32 at a time and also where each needs another bundle. */
export const rekeyingMs = 10 * 60_000;

/** Compares the root CA with the one of the last start, and writes down when it became another one. */
export async function noteAuthority(leader: Leader): Promise<void> {
  const root = new X509Certificate(await readFile(leader.config.caFile));
  const sha256 = createHash("sha256").update(root.raw).digest("hex");
  const before = leader.pool.authority;
  if (before?.sha256 === sha256) return;
  assertWritable(leader);
  const joined = [...leader.pool.nodes.values()].filter(({ record }) => record.seen !== undefined).length;
  // Records of a version before 0.4 do not name their root; if it is still the same, all that is lost is patience.
  const record: AuthorityRecord = { sha256, ...(joined === 0 ? {} : { rekeyedAt: leader.clock.now() }) };
  leader.pool.authority = record;
  await leader.writer.write("store.commit.meta", [{ put: { key: authorityKey, value: record } }]);
  if (before === undefined) return;
  tell(leader, {
    kind: "authority-changed",
    subject: "environment",
    message: `The environment has another root CA: its ${joined} nodes join anew, and for ${formatDuration(rekeyingMs)} none that has not yet is taken for lost`,
    data: { before: before.sha256, now: sha256, nodes: joined },
  });
}

/** Whether the node may still be waiting for its new certificate: it was not heard since this master has its root. */
export function awaitsRekeying(leader: Leader, node: PoolNode): boolean {
  const { rekeyedAt } = leader.pool.authority ?? {};
  return rekeyedAt !== undefined && node.lastHeartbeatAt === undefined && leader.clock.now() - rekeyedAt < rekeyingMs;
}
