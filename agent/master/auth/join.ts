/**
 * How a node gets its certificate: with a single-use token the first time, with its present certificate from then on. The
 * node's record names the keys that count, so a node that was removed, or joined anew with another key, is out at once.
 */
import type { JoinReply, JoinRequest } from "../../contract/api.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { proofNonce } from "../../contract/instance-identity.ts";
import { assertWritable, inBackground, type Leader, tell } from "../leader.ts";
import { dropBulk } from "../lifecycle/bulk.ts";
import { closeCodes } from "../lifecycle/connection.ts";
import type { PoolNode } from "../pool/pool.ts";
import { type NodeRecord, nodeKey, type TokenRecord, tokenKey } from "../pool/records.ts";
import { maxOperations } from "../state/store.ts";
import { issueNodeCertificate, type KeyedCertificate, readSigningRequest } from "./certificates.ts";
import { proveInstance } from "./instance-identity/prove.ts";
import type { ProvenInstance } from "./instance-identity/proven-instance.ts";
import { assertDeclaredInstance, tellRefusal } from "./instance-token.ts";
import type { Peer } from "./peer.ts";
import { putToken, tokenSha256 } from "./token.ts";

const tokenLifeMs = 5 * 60_000;
const certificateDays = 7;
const csrHint = "Make the request with the node's own name as its CN.";

/**
 * A new token for a declared node; earlier ones of that node end. `<secret>.<sha256 of the root CA, hex>`, so that who
 * gets it can tell which CA is meant. Throws a SpillwayError `not-found`.
 */
export async function issueJoinToken(leader: Leader, name: string, rootCa: string): Promise<{ token: string; expiresAt: number }> {
  const node = leader.pool.nodes.get(name);
  if (node === undefined) {
    throw new SpillwayError(`there is no node "${name}"`, { code: "not-found", hint: "Declare it first: PUT /v1/nodes/<name>." });
  }
  const { token, expiresAt } = await putToken(leader, { node: name, lifeMs: tokenLifeMs, rootCa });
  tell(leader, {
    kind: "node-token-issued",
    subject: `node/${name}`,
    message: `A join token was issued for node ${name}; it ends in 5 min`,
  });
  return { token, expiresAt };
}

/**
 * Spends a token. The same token with the same key is answered again while it lives, since the answer may have been lost.
 * Throws a SpillwayError `bad-token` or `bad-csr`; of an instance's token also `not-yet` while the node is not declared,
 * `bad-instance-proof` and `wrong-instance`.
 */
export async function join(leader: Leader, issuer: KeyedCertificate, request: JoinRequest): Promise<JoinReply> {
  const isBound = assertToken(leader, request).token.instance === true;
  const { commonName, keySha256 } = await readSigningRequest(request.csr);
  if (commonName !== request.node) {
    throw new SpillwayError(`the certificate request is for "${commonName}", not for "${request.node}"`, {
      code: "bad-csr",
      hint: csrHint,
    });
  }
  const instance = isBound ? await instanceOf(leader, request, keySha256) : undefined;
  assertWritable(leader);
  // Once more and in one step with its spending: another request may have come meanwhile.
  const { token, node } = assertToken(leader, request, keySha256);
  if (instance !== undefined) assertDeclaredInstance(leader, node.record, instance);
  if (token.usedByKey === undefined) {
    const { problem: _, ...good } = token;
    const spent: TokenRecord = { ...good, usedByKey: keySha256 };
    leader.pool.tokens.set(spent.sha256, spent);
    const record: NodeRecord = { ...node.record, keys: [keySha256] };
    node.record = record;
    await leader.writer.write("store.commit.token", [
      { put: { key: tokenKey(spent.sha256), value: spent } },
      { put: { key: nodeKey(request.node), value: record } },
    ]);
    tell(leader, {
      kind: "node-certified",
      subject: `node/${request.node}`,
      message: `Node ${request.node} got its first certificate with a join token`,
    });
    dropRevoked(leader, node);
  } else await leader.writer.settled();
  return issueNodeCertificate({ issuer, csr: request.csr, node: request.node, days: certificateDays, now: leader.clock.now() });
}

/** A new certificate for a node that has one. Its present key counts until the new one is used. Throws `forbidden` or `bad-csr`. */
export async function renew(leader: Leader, issuer: KeyedCertificate, peer: Peer | undefined, csr: string): Promise<JoinReply> {
  certifiedNode(leader, peer);
  const { commonName, keySha256 } = await readSigningRequest(csr);
  assertWritable(leader);
  // Looked up again: it may have been removed meanwhile.
  const node = certifiedNode(leader, peer);
  const { name } = node.record;
  if (commonName !== name)
    throw new SpillwayError(`the certificate request is for "${commonName}", not for "${name}"`, { code: "bad-csr", hint: csrHint });
  const keys = [...new Set([keySha256, ...(peer === undefined ? [] : [peer.keySha256])])];
  if (keys.join() !== node.record.keys.join()) {
    node.record = { ...node.record, keys };
    await leader.writer.write("store.commit.node", [{ put: { key: nodeKey(name), value: node.record } }]);
    dropRevoked(leader, node);
  } else await leader.writer.settled();
  tell(leader, { kind: "node-certified", subject: `node/${name}`, message: `Node ${name} has renewed its certificate` });
  return issueNodeCertificate({ issuer, csr, node: name, days: certificateDays, now: leader.clock.now() });
}

/** The peer's node. Throws `forbidden` unless its certificate is one of a node of this pool that counts now. */
export function certifiedNode(leader: Leader, peer: Peer | undefined): PoolNode {
  const node = peer === undefined ? undefined : leader.pool.nodes.get(peer.node);
  if (peer === undefined || node === undefined || !node.record.keys.includes(peer.keySha256)) {
    throw new SpillwayError(
      peer === undefined
        ? "a client certificate of this environment is needed"
        : `the certificate of "${peer.node}" does not count (any more) in this pool`,
      { code: "forbidden", hint: "A node that was removed, or joined anew, has to join with a new token." },
    );
  }
  return node;
}

/** Closes what the node has open with a key that counts no more. */
function dropRevoked(leader: Leader, { record: { name, keys } }: PoolNode): void {
  const control = leader.controls.get(name);
  if (control !== undefined && !keys.includes(control.keySha256)) control.close(closeCodes.refused, "the node has another key now");
  const bulk = leader.bulks.get(name);
  if (bulk !== undefined && !keys.includes(bulk.keySha256)) dropBulk(leader, name, "the node has another key now");
}

/** Forgets tokens that have ended. */
export function dropEndedTokens(leader: Leader): void {
  if (leader.writer.fault() !== undefined) return;
  const now = leader.clock.now();
  const ended = [...leader.pool.tokens.values()].filter((token) => token.expiresAt < now).slice(0, maxOperations);
  if (ended.length === 0) return;
  for (const token of ended) leader.pool.tokens.delete(token.sha256);
  inBackground(leader, "join tokens", () =>
    leader.writer.write(
      "store.commit.token",
      ended.map((token) => ({ delete: tokenKey(token.sha256) })),
    ),
  );
}

/** Which instance asks, by its cloud's word. Who has a token that is good and no proof is told, and so is the operator. */
async function instanceOf(leader: Leader, { node, token, proof }: JoinRequest, keySha256: string): Promise<ProvenInstance> {
  try {
    if (proof === undefined) {
      throw new SpillwayError("the token is an instance's, and the request proves nothing of the machine that asks", {
        code: "bad-instance-proof",
        hint: "Agents from version 0.5 on send the document of their instance metadata.",
      });
    }
    return await proveInstance(proof, {
      identityAuthorities: leader.config.identityAuthorities ?? [],
      nonce: proofNonce(token, keySha256),
      now: leader.clock.now(),
    });
  } catch (error) {
    tellRefusal(leader, node, error);
    throw error;
  }
}

/** One answer for every kind of wrong token, so that guessing teaches nothing. */
function assertToken(leader: Leader, request: JoinRequest, keySha256?: string): { token: TokenRecord; node: PoolNode } {
  const token = leader.pool.tokens.get(tokenSha256(request.token));
  const node = leader.pool.nodes.get(request.node);
  const usedByAnother = keySha256 !== undefined && token?.usedByKey !== undefined && token.usedByKey !== keySha256;
  const isGood = token !== undefined && token.node === request.node && token.expiresAt >= leader.clock.now() && !usedByAnother;
  if (isGood && token.instance === true && node === undefined) {
    throw new SpillwayError(`node ${request.node} is not declared yet`, {
      code: "not-yet",
      hint: "Its machine is still being made: ask again.",
    });
  }
  if (usedByAnother && token.instance === true) tellRefusal(leader, request.node, "its join token was used again, with another key");
  if (!isGood || node === undefined) {
    throw new SpillwayError("the join token is unknown, has ended, was used already, or is another node's", {
      code: "bad-token",
      hint: "Ask for a new one: POST /v1/nodes/<name>/join-token. They live 5 minutes and work once.",
    });
  }
  return { token, node };
}
