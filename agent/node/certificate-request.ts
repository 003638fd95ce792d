/** A certificate signing request for this node. Loads the X.509 library, so only `join` and `renew` may import it, and only when they run. */
import "reflect-metadata";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";

/** PKCS#10 PEM with CN = node, signed with the node's P-256 key (PKCS#8 PEM). */
export async function certificateRequest(node: string, keyPem: string): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const privateKey = createPrivateKey(keyPem);
  const keys = {
    privateKey: privateKey.toCryptoKey(algorithm, false, ["sign"]),
    publicKey: createPublicKey(privateKey).toCryptoKey(algorithm, true, ["verify"]),
  };
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [node] }],
    keys,
    signingAlgorithm: { ...algorithm, hash: "SHA-256" },
  });
  return request.toString("pem");
}
