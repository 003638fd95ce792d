/** Which virtual machine of Azure sent attested data: verified up to a root of which Azure's services have their certificates. */
import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { z } from "zod";
import type { InstanceProof } from "../../../contract/instance-identity.ts";
import { chainsUp, type FetchIssuer } from "./chain.ts";
import type { ProvenInstance } from "./proven-instance.ts";
import { signedMessage } from "./signed-message.ts";

/** Of the document's fields those that count (Azure "Instance Metadata Service", "Attested data"). */
const attestedData = z.object({
  vmId: z.string().min(1),
  nonce: z.string(),
  subscriptionId: z.string().optional(),
  timeStamp: z.object({ createdOn: z.string(), expiresOn: z.string() }),
});

/** To whom such a certificate is made out, by cloud: public, US Government, China (same page, "Attested data", sovereign clouds). */
const signerNames = /^(?:[a-z0-9-]+\.)*metadata\.azure\.(?:com|us|cn)$/i;

/**
 * Roots by their SHA-256 fingerprints, of those that Node brings: DigiCert Global Root G2 and G3, Microsoft RSA and ECC Root
 * Certificate Authority 2017 (Azure "Azure Certificate Authority details", where subordinates come and go, which is why none is pinned).
 */
const rootFingerprints = new Set([
  "CB:3C:CB:B7:60:31:E5:E0:13:8F:8D:D3:9A:23:F9:DE:47:FF:C3:5E:43:C1:14:4C:EA:27:D4:6A:5A:B1:CB:5F",
  "31:AD:66:48:F8:10:41:38:C7:38:F3:9E:A4:32:01:33:39:3E:3A:18:CC:02:29:6E:F9:7C:2A:C9:EF:67:31:D0",
  "C7:41:F7:0F:4B:2A:8D:88:BF:2E:71:C1:41:22:EF:53:EF:10:EB:A0:CF:A5:E6:4C:FA:20:F4:18:85:30:73:E0",
  "35:8D:F3:9D:76:4A:F9:E1:B7:66:E9:C9:72:DF:35:2E:E1:5C:FA:C2:27:AF:6A:D1:D7:0E:8E:4A:6E:DC:BA:02",
]);
let roots: readonly X509Certificate[] | undefined;

/** The two clocks may differ by this much. */
const clockAllowanceMs = 60_000;

export interface AzureOptions {
  /** Roots and issuers that count beside Azure's. */
  readonly authorities: readonly X509Certificate[];
  /** What was asked to be signed with it. */
  readonly nonce: string;
  /** ms since the epoch. */
  readonly now: number;
  readonly fetchIssuer: FetchIssuer;
}

/** Rejects with an Error that says what is wrong. */
export async function azureInstance(proof: Extract<InstanceProof, { cloud: "azure" }>, options: AzureOptions): Promise<ProvenInstance> {
  const { authorities, nonce, now, fetchIssuer } = options;
  const message = signedMessage(Buffer.from(proof.signature, "base64"));
  const { content } = message;
  if (content === undefined) throw new Error("the attested data holds no document");
  const signer = message.certificates.find((certificate) => message.isSignedBy(certificate, content));
  if (signer === undefined) throw new Error("the attested data was signed by none of the certificates that came with it");
  if (!namesOf(signer).some((name) => signerNames.test(name))) {
    throw new Error(`the attested data was signed by ${namesOf(signer).join(", ")}, which is not Azure's metadata service`);
  }
  // Cheap first: a chain may have to be asked for.
  const document = parsed(content);
  if (document.nonce !== nonce) throw new Error("the attested data was made for another token or key");
  const ends = Date.parse(document.timeStamp.expiresOn);
  if (!(ends + clockAllowanceMs > now)) throw new Error(`the attested data was good until ${document.timeStamp.expiresOn}`);
  const others = message.certificates.filter((certificate) => certificate !== signer);
  await chainsUp(signer, { roots: [...azureRoots(), ...authorities], issuers: [...others, ...authorities], now, fetchIssuer });
  return { cloud: "azure", instanceId: document.vmId, account: document.subscriptionId };
}

/** Looked for once: Node brings some 150. */
export function azureRoots(): readonly X509Certificate[] {
  roots ??= rootCertificates.map((pem) => new X509Certificate(pem)).filter(({ fingerprint256 }) => rootFingerprints.has(fingerprint256));
  return roots;
}

/** The names that count for a server: those of its alternative names, else its CN. */
function namesOf({ subjectAltName, subject }: X509Certificate): string[] {
  const names = [...(subjectAltName ?? "").matchAll(/DNS:([^,\s]+)/g)].map(([, name]) => name ?? "");
  if (names.length > 0) return names;
  const name = /^CN=(.+)$/m.exec(subject)?.[1];
  return name === undefined ? [] : [name];
}

function parsed(content: Buffer): z.infer<typeof attestedData> {
  try {
    return attestedData.parse(JSON.parse(content.toString("utf8")));
  } catch (cause) {
    throw new Error("the attested data holds no document of the form that is known", { cause });
  }
}
