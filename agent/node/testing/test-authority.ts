/** A certificate authority for tests: root, intermediate, and certificates signed by it; made here so that agent and master share no code. */
import "reflect-metadata";
import { generateKeyPairSync } from "node:crypto";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export async function testAuthority() {
  const rootKeys = await newKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({ name: "CN=test root", keys: rootKeys, ...caOptions() });
  const keys = await newKeys();
  const intermediate = await x509.X509CertificateGenerator.create({
    subject: "CN=test intermediate",
    issuer: root.subject,
    publicKey: keys.publicKey,
    signingKey: rootKeys.privateKey,
    ...caOptions(),
  });

  /** PEM chain for a public key; `life` in ms relative to now. Without a name of its own the certificate is one for 127.0.0.1. */
  async function sign(
    subject: string,
    publicKey: x509.PublicKeyType,
    life: { from: number; until: number },
    dns?: string,
  ): Promise<string> {
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: intermediate.subject,
      publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      notBefore: new Date(Date.now() + life.from),
      notAfter: new Date(Date.now() + life.until),
      extensions: [
        new x509.SubjectAlternativeNameExtension([dns === undefined ? { type: "ip", value: "127.0.0.1" } : { type: "dns", value: dns }]),
      ],
    });
    return `${certificate.toString("pem")}\n${intermediate.toString("pem")}\n`;
  }

  const defaultLife = { from: -60_000, until: 3_600_000 };
  return {
    ca: `${root.toString("pem")}\n`,
    /** A key and its chain, as PEM. */
    async issue(name: string, life = defaultLife, dns?: string): Promise<{ key: string; chain: string }> {
      const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
      const publicKey = pair.publicKey.toCryptoKey(algorithm, true, ["verify"]);
      return {
        key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
        chain: await sign(`CN=${name}`, publicKey, life, dns),
      };
    },
    /** Signs a request as a master does; rejects one whose signature is wrong. */
    async answer(csr: string, life = defaultLife): Promise<{ node: string; certificate: string; expiresAt: number }> {
      const request = new x509.Pkcs10CertificateRequest(csr);
      if (!(await request.verify())) throw new Error("the signing request is not signed by its key");
      const certificate = await sign(request.subject, request.publicKey, life);
      return { node: request.subject.replace("CN=", ""), certificate, expiresAt: Date.now() + life.until };
    },
  };
}

function newKeys() {
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

function caOptions() {
  return {
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 86_400_000),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  };
}
