/** Declares, updates and removes nodes: what the operator's side says, as opposed to what agents say. */
import { isDeepStrictEqual } from "node:util";
import { SpillwayError } from "../../contract/errors.ts";
import type { NodeDeclaration } from "../../contract/node.ts";
import { resourceName } from "../../contract/workload.ts";
import { endAttempt } from "../jobs/end-attempt.ts";
import { assertWritable, type Leader, tell } from "../leader.ts";
import { activeAttempt, addNode, type PoolNode } from "../pool/pool.ts";
import { type NodeRecord, nodeKey, tokenKey } from "../pool/records.ts";
import { count } from "../pool/views.ts";
import type { Operation } from "../state/store.ts";
import { dropBulk } from "./bulk.ts";
import { loseTasks } from "./node-state.ts";

/** Resolves when the declaration is durable; the same one again changes nothing. */
export async function declareNode(leader: Leader, name: string, declaration: NodeDeclaration): Promise<PoolNode> {
  if (!resourceName.safeParse(name).success) {
    throw new SpillwayError(`"${name}" can't be a node's name`, {
      code: "invalid-request",
      hint: "Use lower-case letters, digits and dashes, at most 63.",
    });
  }
  const existing = leader.pool.nodes.get(name);
  if (existing !== undefined && isDeepStrictEqual(existing.record.declaration, declaration)) {
    await leader.writer.settled();
    return existing;
  }
  assertWritable(leader);
  const { notice, ...kept }: NodeRecord = existing?.record ?? { name, declaration, declaredAt: leader.clock.now(), keys: [] };
  // A notice is of one machine; its successor is not concerned.
  const isSameMachine = kept.declaration.providerId === declaration.providerId;
  const record: NodeRecord = { ...kept, declaration, ...(notice === undefined || !isSameMachine ? {} : { notice }) };
  const node =
    existing ??
    addNode(leader.pool, record, {
      state: "joining",
      reason: "it was declared; its agent has not joined yet",
      now: leader.clock.now(),
      heardAt: leader.clock.monotonic(),
    });
  node.record = record;
  await leader.writer.write("store.commit.node", [{ put: { key: nodeKey(name), value: record } }]);
  tell(leader, {
    kind: existing === undefined ? "node-declared" : "node-updated",
    subject: `node/${name}`,
    message:
      existing === undefined
        ? `Node ${name} was declared in the node pool ${declaration.pool}`
        : `The declaration of node ${name} was changed`,
    data: { declaration },
  });
  leader.requestRound();
  return node;
}

/** Resolves with false when there is no such node; else when its end is durable and its agent was told to leave. */
export async function removeNode(leader: Leader, name: string): Promise<boolean> {
  const node = leader.pool.nodes.get(name);
  if (node === undefined) {
    await leader.writer.settled();
    return false;
  }
  assertWritable(leader);
  const tasks = node.tasks.size;
  // Its tasks first: a crash in between leaves a node that can be removed again, not tasks on a node that is gone.
  const given = loseTasks(leader, node, "node removed");
  leader.pool.nodes.delete(name);
  const operations: Operation[] = [{ delete: nodeKey(name) }];
  for (const token of [...leader.pool.tokens.values()].filter((one) => one.node === name)) {
    leader.pool.tokens.delete(token.sha256);
    operations.push({ delete: tokenKey(token.sha256) });
  }
  await Promise.all([given, leader.writer.write("store.commit.node", operations)]);
  const connection = leader.controls.get(name);
  connection?.leave();
  leader.controls.delete(name);
  dropBulk(leader, name, "the node was removed");
  tell(leader, {
    kind: "node-removed",
    subject: `node/${name}`,
    message: `Node ${name} was removed; ${count(tasks, "task")} on it were given up${connection === undefined ? "; its agent was away and could not be told" : ""}`,
    data: { tasks, told: connection !== undefined },
  });
  return true;
}

/** Gives up attempts on nodes that are no longer there: a crash may have cut their removal short. */
export async function giveUpOrphans(leader: Leader): Promise<void> {
  const ends: Promise<void>[] = [];
  for (const job of leader.pool.jobs.values()) {
    if (job.counts.active === 0) continue;
    for (const [position, index] of job.indexes.entries()) {
      const active = activeAttempt(index);
      if (active === undefined || leader.pool.nodes.has(active.node)) continue;
      ends.push(endAttempt(leader, job, position, { state: "lost", reason: "node removed" }));
    }
  }
  await Promise.all(ends);
}
