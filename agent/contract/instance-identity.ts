/** How a machine of a cloud proves which one it is: a document that its cloud has signed, read from instance metadata. */
import { createHash } from "node:crypto";
import { z } from "zod";

/**
 * What the agent sends beside its join token.
 * - AWS: the instance identity document as it was read, and the base64 of `rsa2048`, a PKCS7 signature over it
 *   (EC2 User Guide, "Verify the instance identity document": the one of the three signatures made by a key of 2048 bits);
 * - Azure: the base64 of attested data, a PKCS7 message that holds its document (Azure "Instance Metadata Service", "Attested data").
 */
export const instanceProof = z.discriminatedUnion("cloud", [
  z.object({ cloud: z.literal("aws"), document: z.string().max(4096), signature: z.string().max(8192) }),
  z.object({ cloud: z.literal("azure"), signature: z.string().max(32_768) }),
]);
export type InstanceProof = z.infer<typeof instanceProof>;

/** A join token that begins so is spent only by the instance that its node was declared as. */
export const instanceTokenPrefix = "instance.";

export function wantsProof(token: string): boolean {
  return token.startsWith(instanceTokenPrefix);
}

/**
 * What Azure signs with the document, so that it is good for one token and one key: nobody else can make use of one that was
 * overheard. 32 hex digits, the longest that Azure takes ("a string of up to 32 random alphanumeric characters": its imds.json,
 * Attested_GetDocument).
 * @param keySha256 hex, of the public key in the certificate request, as SubjectPublicKeyInfo
 */
export function proofNonce(token: string, keySha256: string): string {
  return createHash("sha256").update(`${token}\n${keySha256}`).digest("hex").slice(0, 32);
}
