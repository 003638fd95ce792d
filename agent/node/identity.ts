/** This node's key and certificate in its state directory: read, judged, and replaced in one step. */
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "./durable-file.ts";

export interface Identity {
  /** PKCS#8 PEM; secret. */
  readonly key: string;
  /** PEM: the node's certificate, then the intermediate that signed it. */
  readonly chain: string;
  /** ms since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The identity on disk; undefined when the key or the certificate is missing or is not one. */
export function readIdentity(stateDir: string): Identity | undefined {
  const key = readIfThere(keyFile(stateDir));
  const chain = readIfThere(certificateFile(stateDir));
  if (key === undefined || chain === undefined) return undefined;
  const leaf = certificatesOf(chain)[0];
  if (leaf === undefined) return undefined;
  return { key, chain, notBefore: leaf.validFromDate.getTime(), notAfter: leaf.validToDate.getTime() };
}

/** The key on disk, or a new one (P-256, 0600). A former attempt's key is kept: the master answers the same token and key again. */
export async function ensureKey(stateDir: string): Promise<string> {
  const existing = readIfThere(keyFile(stateDir));
  if (existing !== undefined && isPrivateKey(existing)) return existing;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  await writeDurably(keyFile(stateDir), key, 0o600);
  return key;
}

/** Puts a certificate beside the key it belongs to. */
export async function writeCertificate(stateDir: string, chain: string): Promise<void> {
  await writeDurably(certificateFile(stateDir), chain, 0o600);
}

/** Why this key and chain are no good for `node` under `ca` now; undefined when they are. */
export function identityProblem(wanted: { key: string; chain: string; node: string; ca: string; now: number }): string | undefined {
  const [leaf, ...issuers] = certificatesOf(wanted.chain);
  if (leaf === undefined) return "it holds no certificate";
  if (!leaf.subject.split("\n").includes(`CN=${wanted.node}`)) return `it is made out to ${leaf.subject}, not to ${wanted.node}`;
  if (!leaf.checkPrivateKey(createPrivateKey(wanted.key))) return "it belongs to another key";
  const roots = certificatesOf(wanted.ca);
  let certificate = leaf;
  for (const issuer of issuers) {
    if (!isIssuedBy(certificate, issuer)) break;
    certificate = issuer;
  }
  if (!roots.some((root) => isIssuedBy(certificate, root))) return "it was signed by another environment";
  if (wanted.now >= leaf.validToDate.getTime()) return `it expired at ${leaf.validToDate.toISOString()}`;
  if (wanted.now < leaf.validFromDate.getTime())
    return `it is valid from ${leaf.validFromDate.toISOString()} only: check this host's clock`;
  return undefined;
}

function keyFile(stateDir: string): string {
  return join(stateDir, "key.pem");
}

function certificateFile(stateDir: string): string {
  return join(stateDir, "cert.pem");
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return [];
  }
}

function isPrivateKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === "ec";
  } catch {
    return false;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
