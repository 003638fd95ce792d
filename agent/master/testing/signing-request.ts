/** A key and a certificate request as an agent makes them on its own machine. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256" } as const;

/** A fresh key (PKCS#8 PEM) and a request for a certificate with this CN (PKCS#10 PEM). */
export async function createSigningRequest(name: string): Promise<{ readonly csr: string; readonly key: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" };
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({ name: [{ CN: [name] }], keys, signingAlgorithm });
  const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { csr: `${csr.toString("pem")}\n`, key: `${x509.PemConverter.encode(der, x509.PemConverter.PrivateKeyTag)}\n` };
}
