/**
 * Tokens that machines are born with. They are made before the machine is, and lie in its user data, so each is bound: it is
 * spent only with the proof of the instance that its node is declared as once the cloud has made it.
 */

import type { JoinTokenState } from "../../contract/api.ts";
import { describeError, SpillwayError } from "../../contract/errors.ts";
import { formatDuration } from "../../contract/quantities.ts";
import { resourceName } from "../../contract/workload.ts";
import { assertWritable, type Leader, tell } from "../leader.ts";
import { type NodeRecord, type TokenRecord, tokenKey } from "../pool/records.ts";
import type { ProvenInstance } from "./instance-identity/proven-instance.ts";
import { livingToken, putToken } from "./token.ts";

/** A machine that boots again and again has no more than this to say. */
const mostProblems = 20;

/** Throws `invalid-request` for what can't be a node's name. */
export async function issueInstanceToken(
  leader: Leader,
  { node, lifeMs }: { readonly node: string; readonly lifeMs: number },
  rootCa: string,
): Promise<{ token: string; expiresAt: number }> {
  if (!resourceName.safeParse(node).success) {
    throw new SpillwayError(`"${node}" can't be a node's name`, {
      code: "invalid-request",
      hint: "Use lower-case letters, digits and dashes, at most 63.",
    });
  }
  const made = await putToken(leader, { node, lifeMs, rootCa, instance: true });
  tell(leader, {
    kind: "node-token-issued",
    subject: `node/${node}`,
    message: `A join token was issued for the machine that ${node} is to run on; it ends in ${formatDuration(lifeMs)}`,
  });
  return made;
}

/** The cloud's name for the machine that a node was declared as: an instance id, or on Azure its `vmId`. */
export function declaredInstance({
  declaration: { provider, providerId, attributes },
}: Pick<NodeRecord, "declaration">): string | undefined {
  return provider === "azure" ? attributes.vmId : providerId;
}

/** Throws `wrong-instance` unless it is the machine that the node was declared as. */
export function assertDeclaredInstance(leader: Leader, node: NodeRecord, { cloud, instanceId }: ProvenInstance): void {
  const { provider } = node.declaration;
  const declared = declaredInstance(node);
  if (provider === cloud && declared?.toLowerCase() === instanceId.toLowerCase()) return;
  const refusal = new SpillwayError(
    `the token of node ${node.name} was sent by the ${cloud} instance ${instanceId}, and the node was declared as ${provider} ${declared ?? "without an instance's id"}`,
    {
      code: "wrong-instance",
      hint: "Somebody may have read that machine's user data. If it was yourself: replace the machine, which gets a new token.",
    },
  );
  tellRefusal(leader, node.name, refusal);
  throw refusal;
}

/** An event for the operator: a token that was good came from where it should not have. */
export function tellRefusal(leader: Leader, node: string, why: unknown): void {
  tell(leader, {
    kind: "node-join-refused",
    subject: `node/${node}`,
    message: `A machine asked to join as ${node} and was refused: ${describeError(why).split("\n")[0]}`,
  });
}

/** What the machine itself says, which nobody can log in to; also once it has joined and its agent does not start. Throws `bad-token`. */
export async function noteJoinProblem(
  leader: Leader,
  { node, token, problem }: { readonly node: string; readonly token: string; readonly problem: string },
): Promise<void> {
  assertWritable(leader);
  const record = livingToken(leader, token);
  if (record === undefined || record.node !== node || record.instance !== true) {
    throw new SpillwayError("the join token is unknown, has ended, or is another node's", { code: "bad-token" });
  }
  const times = record.problem?.times ?? 0;
  if (record.problem?.text === problem || times >= mostProblems) return;
  const noted: TokenRecord = { ...record, problem: { text: problem, times: times + 1 } };
  leader.pool.tokens.set(noted.sha256, noted);
  await leader.writer.write("store.commit.token", [{ put: { key: tokenKey(noted.sha256), value: noted } }]);
  tell(leader, {
    kind: "node-join-problem",
    subject: `node/${node}`,
    message: `The machine of node ${node} can't take the agent, by its own word: ${problem}`,
  });
}

/** Of the node's present token. Throws `not-found` when it has none that lives. */
export function tokenStateOf(leader: Leader, node: string): JoinTokenState {
  const record = [...leader.pool.tokens.values()].find((one) => one.node === node && one.expiresAt >= leader.clock.now());
  if (record === undefined) {
    throw new SpillwayError(`node ${node} has no join token that lives`, {
      code: "not-found",
      hint: "A machine that did not join in time is replaced.",
    });
  }
  const { expiresAt, usedByKey, problem } = record;
  return { expiresAt, used: usedByKey !== undefined, ...(problem === undefined ? {} : { problem: problem.text }) };
}
