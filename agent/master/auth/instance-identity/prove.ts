/** Which instance of a cloud sends a proof, by whichever cloud it is of. */
import type { X509Certificate } from "node:crypto";
import { describeError, SpillwayError } from "../../../contract/errors.ts";
import type { InstanceProof } from "../../../contract/instance-identity.ts";
import { awsInstance } from "./aws.ts";
import { azureInstance } from "./azure.ts";
import { type FetchIssuer, fetchKnownIssuer } from "./chain.ts";
import { certificatesIn, type ProvenInstance } from "./proven-instance.ts";

export interface ProveOptions {
  /** PEM: what the master's configuration adds to the clouds' own. */
  readonly identityAuthorities: readonly string[];
  readonly nonce: string;
  /** ms since the epoch. */
  readonly now: number;
  readonly fetchIssuer?: FetchIssuer;
}

/** Rejects with a SpillwayError `bad-instance-proof` that says why it proves nothing. */
export async function proveInstance(proof: InstanceProof, options: ProveOptions): Promise<ProvenInstance> {
  const { identityAuthorities, nonce, now, fetchIssuer = fetchKnownIssuer } = options;
  try {
    const authorities: X509Certificate[] = identityAuthorities.flatMap(certificatesIn);
    return proof.cloud === "aws"
      ? awsInstance(proof, { authorities })
      : await azureInstance(proof, { authorities, nonce, now, fetchIssuer });
  } catch (cause) {
    throw new SpillwayError(`it could not be proved which machine asks: ${describeError(cause)}`, {
      code: "bad-instance-proof",
      hint: "See the EC2 or Azure instance metadata of that machine; other authorities stand in the master's identityAuthorities.",
      cause,
    });
  }
}
