/** Makes this machine a node: own key, signing request, one POST with the join token, certificate on disk. Safe to repeat. */
import { hash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { AgentConfig } from "../contract/agent-config.ts";
import { type JoinReply, joinReply } from "../contract/api.ts";
import { SpillwayError } from "../contract/errors.ts";
import { wantsProof } from "../contract/instance-identity.ts";
import { certificateRequest } from "./certificate-request.ts";
import { ensureKey, identityProblem, readIdentity, writeCertificate } from "./identity.ts";
import { instanceProofFor } from "./instance-proof.ts";
import { postJson } from "./post-json.ts";

export interface JoinOptions {
  readonly config: AgentConfig;
  /** Join again although the certificate is still good. */
  readonly force: boolean;
  /** Asked only when a token is needed. */
  readonly readToken: () => Promise<string>;
  /** Of tests. */
  readonly metadata?: string;
  /** ms between two tries with a token that its machine was born with. */
  readonly retryMs?: number;
}

/** A machine may be up before the operator's side has told the master of it, and before the master has started again. */
const worthAsking = new Set(["not-yet", "master-unreachable", "starting"]);
/** The token has ended by then. */
const longestWaitMs = 2 * 3_600_000;

/**
 * Resolves with a sentence that says what was done. Throws a SpillwayError; a second try with the same token is safe. With a token
 * that the machine was born with it proves which machine it is, and asks again until the master knows of it.
 */
export async function joinPool({ config, force, readToken, metadata, retryMs = 2000 }: JoinOptions): Promise<string> {
  const ca = readFileSync(config.caFile, "utf8");
  const present = readIdentity(config.stateDir);
  if (present !== undefined && !force) {
    const problem = identityProblem({ ...present, node: config.node, ca, now: Date.now() });
    if (problem === undefined) return `${config.node} has joined before; its certificate is good until ${isoTime(present.notAfter)}`;
  }
  const token = (await readToken()).trim();
  if (token === "") {
    throw new SpillwayError("no join token came on stdin", { code: "token-missing", where: config.node, hint: "pipe the token to `join`" });
  }
  assertSameAuthority(token, ca, config.node);
  const key = await ensureKey(config.stateDir);
  const { endpoint, dialVia, node, stateDir } = config;
  const ask = async (): Promise<JoinReply> => {
    const proof = wantsProof(token) ? await instanceProofFor({ config, token, key, metadata }) : undefined;
    const body = { node, token, csr: certificateRequest(node, key), proof };
    return await postJson({ endpoint, dialVia, path: "/v1/join", body, reply: joinReply, ca, node });
  };
  const reply = wantsProof(token) ? await askAgain(ask, retryMs) : await ask();
  await acceptCertificate({ stateDir, node, ca, key, chain: reply.certificate });
  return `${node} has joined ${endpoint}; its certificate is good until ${isoTime(reply.expiresAt)}`;
}

async function askAgain(ask: () => Promise<JoinReply>, retryMs: number): Promise<JoinReply> {
  const deadline = Date.now() + longestWaitMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof SpillwayError) || !worthAsking.has(error.code) || Date.now() > deadline) throw error;
      await delay(retryMs);
    }
  }
}

/** Writes a certificate the master gave, unless it is no good: a wrong one must never replace a right one. */
export async function acceptCertificate(given: { stateDir: string; node: string; ca: string; key: string; chain: string }): Promise<void> {
  const problem = identityProblem({ ...given, now: Date.now() });
  if (problem !== undefined) {
    throw new SpillwayError(`the certificate the master gave can't be used: ${problem}`, {
      code: "bad-certificate",
      where: given.node,
      hint: "Are the clocks of this host and of the master right? `./spillway up <environment>` lets the node join again.",
    });
  }
  await writeCertificate(given.stateDir, given.chain);
}

/** A token ends with the sha256 of the CA it was made under: it must not go to a master of another one. */
function assertSameAuthority(token: string, ca: string, node: string): void {
  const fingerprint = /\.([0-9a-f]{64})$/.exec(token)?.[1];
  if (fingerprint === undefined || fingerprint === hash("sha256", new X509Certificate(ca).raw)) return;
  throw new SpillwayError("the join token belongs to another environment than the CA on this machine", {
    code: "wrong-ca",
    where: node,
    hint: "`./spillway up <environment>`, from the clone whose pool this node belongs to, brings its own CA and token.",
  });
}

function isoTime(at: number): string {
  return new Date(at).toISOString();
}
