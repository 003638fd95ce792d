/** Gets a new certificate for this node's key, over mTLS with the present one. */
import { readFileSync } from "node:fs";
import type { AgentConfig } from "../contract/agent-config.ts";
import { joinReply } from "../contract/api.ts";
import { SpillwayError } from "../contract/errors.ts";
import { certificateRequest } from "./certificate-request.ts";
import { readIdentity } from "./identity.ts";
import { acceptCertificate } from "./join.ts";
import { postJson } from "./post-json.ts";

/** Resolves with a sentence. Throws a SpillwayError; the present certificate stays then. */
export async function renewCertificate({ node, endpoint, dialVia, caFile, stateDir }: AgentConfig): Promise<string> {
  const identity = readIdentity(stateDir);
  if (identity === undefined) {
    throw new SpillwayError("there is no certificate to renew", { code: "not-joined", where: node, hint: "join the node first" });
  }
  const ca = readFileSync(caFile, "utf8");
  const csr = certificateRequest(node, identity.key);
  const reply = await postJson({ endpoint, dialVia, path: "/v1/renew", body: { csr }, reply: joinReply, ca, identity, node });
  await acceptCertificate({ stateDir, node, ca, key: identity.key, chain: reply.certificate });
  return `the certificate of ${node} is good until ${new Date(reply.expiresAt).toISOString()}`;
}
