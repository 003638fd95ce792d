/** The document by which this machine's cloud vouches for it, read from instance metadata. */
import { createPublicKey, hash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { AgentConfig } from "../contract/agent-config.ts";
import { describeError, SpillwayError } from "../contract/errors.ts";
import { type InstanceProof, proofNonce } from "../contract/instance-identity.ts";
import { askMetadata, type MetadataQuestion, metadataAddress, unexpectedStatus } from "./notice/metadata.ts";

/** EC2 User Guide, "Instance identity documents" and "Verify the instance identity document" (rsa2048), by IMDSv2. */
export const awsIdentityPaths = {
  token: "/latest/api/token",
  document: "/latest/dynamic/instance-identity/document",
  signature: "/latest/dynamic/instance-identity/rsa2048",
} as const;
/** Azure "Instance Metadata Service", "Attested data". */
export const azureAttestedPath = "/metadata/attested/document?api-version=2020-09-01";

const tokenSeconds = 60;
const timeoutMs = 5000;
/** A machine that has just started may be ahead of its metadata; and Azure may answer with a nonce of before. */
const tries = 10;
const pauseMs = 1000;

const attested = z.object({ encoding: z.literal("pkcs7"), signature: z.string() });

export interface ProofOptions {
  readonly config: Pick<AgentConfig, "cloud" | "node">;
  readonly token: string;
  /** The node's, PKCS#8 PEM. */
  readonly key: string;
  readonly metadata?: string | undefined;
  /** ms between two tries. */
  readonly pauseMs?: number;
}

/** Throws `no-instance-identity` when metadata does not tell. */
export async function instanceProofFor(options: ProofOptions): Promise<InstanceProof> {
  const { config, token, key } = options;
  const metadata = options.metadata ?? process.env.SPILLWAY_METADATA_ENDPOINT ?? metadataAddress;
  const ask = async (question: Pick<MetadataQuestion, "path" | "method" | "headers">): Promise<string> => {
    const answer = await askMetadata(metadata, { ...question, timeoutMs, signal: new AbortController().signal });
    if (answer.status !== 200) throw unexpectedStatus(question.path, answer);
    return answer.body;
  };
  let last: unknown = new Error("the settings name no cloud");
  for (let n = 0; n < tries && config.cloud !== undefined; n++) {
    if (n > 0) await delay(options.pauseMs ?? pauseMs);
    try {
      return config.cloud === "aws" ? await awsProof(ask) : await azureProof(ask, proofNonce(token, keySha256(key)));
    } catch (error) {
      last = error;
    }
  }
  throw new SpillwayError(`this machine can't prove which one it is: ${describeError(last)}`, {
    code: "no-instance-identity",
    where: config.node,
    hint: "Its token is an instance's: is this a machine of that cloud, and its instance metadata on?",
    cause: last,
  });
}

type Ask = (question: Pick<MetadataQuestion, "path" | "method" | "headers">) => Promise<string>;

async function awsProof(ask: Ask): Promise<InstanceProof> {
  const token = await ask({
    path: awsIdentityPaths.token,
    method: "PUT",
    headers: { "x-aws-ec2-metadata-token-ttl-seconds": String(tokenSeconds) },
  });
  const headers = { "x-aws-ec2-metadata-token": token };
  const document = await ask({ path: awsIdentityPaths.document, headers });
  // It comes in lines.
  const signature = (await ask({ path: awsIdentityPaths.signature, headers })).replaceAll(/\s/g, "");
  return { cloud: "aws", document, signature };
}

async function azureProof(ask: Ask, nonce: string): Promise<InstanceProof> {
  const body = await ask({ path: `${azureAttestedPath}&nonce=${nonce}`, headers: { metadata: "true" } });
  const { signature } = attested.parse(JSON.parse(body));
  // "Due to IMDS's caching mechanism, a previously cached nonce value may be returned."
  if (!Buffer.from(signature, "base64").includes(nonce)) throw new Error("the attested data is of an earlier question");
  return { cloud: "azure", signature };
}

function keySha256(key: string): string {
  return hash("sha256", createPublicKey(key).export({ type: "spki", format: "der" }));
}
