/** Makes this machine a node: own key, signing request, one POST with the join token, certificate on disk. Safe to repeat. */
import { hash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { AgentConfig } from "../contract/agent-config.ts";
import { joinReply } from "../contract/api.ts";
import { SpillwayError } from "../contract/errors.ts";
import { certificateRequest } from "./certificate-request.ts";
import { ensureKey, identityProblem, readIdentity, writeCertificate } from "./identity.ts";
import { postJson } from "./post-json.ts";

export interface JoinOptions {
  readonly config: AgentConfig;
  /** Join again although the certificate is still good. */
  readonly force: boolean;
  /** Asked only when a token is needed. */
  readonly readToken: () => Promise<string>;
}

/** Resolves with a sentence that says what was done. Throws a SpillwayError; a second try with the same token is safe. */
export async function joinPool({ config, force, readToken }: JoinOptions): Promise<string> {
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
  const csr = certificateRequest(config.node, key);
  const { endpoint, node, stateDir } = config;
  const reply = await postJson({ endpoint, path: "/v1/join", body: { node, token, csr }, reply: joinReply, ca, node });
  await acceptCertificate({ stateDir, node, ca, key, chain: reply.certificate });
  return `${node} has joined ${endpoint}; its certificate is good until ${isoTime(reply.expiresAt)}`;
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
