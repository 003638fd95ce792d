/** What a cloud vouches for: one instance, by the name that its signed document has for it. */
import { X509Certificate } from "node:crypto";

export interface ProvenInstance {
  readonly cloud: "aws" | "azure";
  /** AWS: `i-…`. Azure: the `vmId`, a UUID. */
  readonly instanceId: string;
  /** AWS: the account. Azure: the subscription, where the document has it. */
  readonly account: string | undefined;
}

/** Every certificate of a PEM text. Throws what Node says of one that is none. */
export function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((block) => new X509Certificate(block));
}
