/** Which instance of AWS sent a document: verified by the certificate that AWS publishes for its region. */
import { X509Certificate } from "node:crypto";
import { z } from "zod";
import type { InstanceProof } from "../../../contract/instance-identity.ts";
import { awsCertificates } from "./aws-certificates.ts";
import type { ProvenInstance } from "./proven-instance.ts";
import { signedMessage } from "./signed-message.ts";

/** Of the document's fields those that count (EC2 User Guide, "Instance identity documents"). */
const identityDocument = z.object({ instanceId: z.string(), region: z.string(), accountId: z.string() });

/**
 * Throws an Error with what is wrong. A document never ends and holds nothing of who asks: that it is not somebody else's is
 * left to the token.
 * @param authorities certificates that count beside those of AWS
 */
export function awsInstance(
  proof: Extract<InstanceProof, { cloud: "aws" }>,
  { authorities }: { readonly authorities: readonly X509Certificate[] },
): ProvenInstance {
  const { instanceId, region, accountId } = parsed(proof.document);
  const published = awsCertificates[region];
  const signers = [...authorities, ...(published === undefined ? [] : [new X509Certificate(Buffer.from(published, "base64"))])];
  if (signers.length === 0) {
    throw new Error(`no certificate of AWS for the region ${region} is known here: add it to identityAuthorities`);
  }
  const message = signedMessage(Buffer.from(proof.signature, "base64"));
  const document = Buffer.from(proof.document, "utf8");
  if (!signers.some((signer) => message.isSignedBy(signer, document))) {
    throw new Error(`the document was not signed by AWS for the region ${region}`);
  }
  return { cloud: "aws", instanceId, account: accountId };
}

function parsed(text: string): z.infer<typeof identityDocument> {
  try {
    return identityDocument.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error("what it sent is no instance identity document", { cause });
  }
}
