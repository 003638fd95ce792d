/** For tests: a CA and a server certificate for 127.0.0.1 signed by it, made on the spot. */
import { webcrypto } from "node:crypto";
// oxlint-disable-next-line no-unassigned-import -- @peculiar/x509 needs it
import "reflect-metadata";
import { BasicConstraintsExtension, PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from "@peculiar/x509";

export interface ServerCertificate {
  /** PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const hourMs = 3_600_000;

/** `validForMs` may be negative: a certificate that is expired already. */
export async function makeServerCertificate({ validForMs = hourMs }: { readonly validForMs?: number } = {}): Promise<ServerCertificate> {
  const caKeys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const now = Date.now();
  const ca = await X509CertificateGenerator.createSelfSigned({
    name: "CN=test CA",
    keys: caKeys,
    signingAlgorithm: algorithm,
    notBefore: new Date(now - 48 * hourMs),
    notAfter: new Date(now + 48 * hourMs),
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  const leaf = await X509CertificateGenerator.create({
    subject: "CN=master",
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    signingAlgorithm: algorithm,
    notBefore: new Date(now - 24 * hourMs),
    notAfter: new Date(now + validForMs),
    extensions: [new SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }])],
  });
  const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { ca: ca.toString("pem"), cert: leaf.toString("pem"), key: PemConverter.encode(key, "PRIVATE KEY") };
}
