/** Join tokens as they are made and kept: the secret goes to who asked for it, the master keeps its sum. */
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { instanceTokenPrefix } from "../../contract/instance-identity.ts";
import { assertWritable, type Leader } from "../leader.ts";
import { type TokenRecord, tokenKey } from "../pool/records.ts";

export interface TokenWish {
  readonly node: string;
  readonly lifeMs: number;
  /** PEM. */
  readonly rootCa: string;
  /** Only the instance that the node is declared as may spend it. */
  readonly instance?: true;
}

/** A new token; earlier ones of that node end. `expiresAt` in ms since the epoch. */
export async function putToken(
  leader: Leader,
  { node, lifeMs, rootCa, instance }: TokenWish,
): Promise<{ token: string; expiresAt: number }> {
  assertWritable(leader);
  const fingerprint = createHash("sha256").update(new X509Certificate(rootCa).raw).digest("hex");
  const token = `${instance === true ? instanceTokenPrefix : ""}${randomBytes(32).toString("base64url")}.${fingerprint}`;
  const expiresAt = leader.clock.now() + lifeMs;
  const record: TokenRecord = { sha256: tokenSha256(token), node, expiresAt, ...(instance === undefined ? {} : { instance }) };
  const earlier = [...leader.pool.tokens.values()].filter((one) => one.node === node);
  for (const one of earlier) leader.pool.tokens.delete(one.sha256);
  leader.pool.tokens.set(record.sha256, record);
  await leader.writer.write("store.commit.token", [
    ...earlier.map((one) => ({ delete: tokenKey(one.sha256) })),
    { put: { key: tokenKey(record.sha256), value: record } },
  ]);
  return { token, expiresAt };
}

export function tokenSha256(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** The record of a token that has not ended, whether it was spent or not. */
export function livingToken(leader: Leader, token: string): TokenRecord | undefined {
  const record = leader.pool.tokens.get(tokenSha256(token));
  return record === undefined || record.expiresAt < leader.clock.now() ? undefined : record;
}
