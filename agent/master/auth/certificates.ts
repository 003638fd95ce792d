/**
 * The certificates of an environment, all ECDSA P-256: a root made at `up`, an intermediate the master holds, and what
 * the intermediate signs: nodes' client certificates and the master's own serving certificate. PEM in, PEM out.
 */
import "reflect-metadata";
import { createHash, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";
import { SpillwayError } from "../../contract/errors.ts";

/** A certificate (PEM; with its chain when it is not self-signed) and its private key (PKCS#8 PEM, secret). */
export interface KeyedCertificate {
  readonly certificate: string;
  readonly key: string;
}

export interface IssuedCertificate {
  /** PEM: the certificate, then the intermediate. */
  readonly certificate: string;
  /** ms since the epoch. */
  readonly expiresAt: number;
}

type KeyPair = webcrypto.CryptoKeyPair;

const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" } as const;
const dayMs = 86_400_000;
/** Certificates begin this long ago, so that a machine whose clock is a little behind accepts them. */
const backdateMs = 5 * 60_000;

/** A self-signed root CA, valid from five minutes before `now` (ms since the epoch) for `days`. */
export async function createRootCa(name: string, days: number, now = Date.now()): Promise<KeyedCertificate> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(days, now),
    subject: commonName(name),
    issuer: commonName(name),
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm,
    extensions: await authorityExtensions(keys.publicKey, undefined),
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
}

/** A CA signed by the root that signs end certificates only. Its `certificate` is that one certificate, without the root. */
export async function createIntermediate(root: KeyedCertificate, name: string, days: number, now = Date.now()): Promise<KeyedCertificate> {
  const keys = await generateKeys();
  const issuer = await loadIssuer(root);
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(days, now, issuer.certificate),
    subject: commonName(name),
    issuer: issuer.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: issuer.key,
    signingAlgorithm,
    extensions: [
      ...(await authorityExtensions(keys.publicKey, 0)),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
}

/**
 * Signs a node's certificate request (PKCS#10 PEM): client authentication only, CN = `node`.
 * Throws a SpillwayError `bad-csr` when the request is malformed, its signature is wrong, its key is not ECDSA P-256
 * or its CN is another node's.
 */
export async function issueNodeCertificate(options: {
  readonly issuer: KeyedCertificate;
  readonly csr: string;
  readonly node: string;
  readonly days: number;
  readonly now?: number;
}): Promise<IssuedCertificate> {
  const request = await readSigningRequest(options.csr);
  if (request.commonName !== options.node) {
    throw badCsr(`the certificate request is for "${request.commonName}", not for "${options.node}"`);
  }
  const issuer = await loadIssuer(options.issuer);
  const period = validity(options.days, options.now ?? Date.now(), issuer.certificate);
  const certificate = await x509.X509CertificateGenerator.create({
    ...period,
    subject: commonName(options.node),
    issuer: issuer.certificate.subjectName,
    publicKey: request.publicKey,
    signingKey: issuer.key,
    signingAlgorithm,
    extensions: await endExtensions(issuer.certificate, request.publicKey, x509.ExtendedKeyUsage.clientAuth),
  });
  return { certificate: pem(certificate) + pem(issuer.certificate), expiresAt: period.notAfter.getTime() };
}

/** A serving certificate with a fresh key for these hosts (DNS names or IP addresses); its chain ends with the intermediate. */
export async function issueServerCertificate(options: {
  readonly issuer: KeyedCertificate;
  readonly hosts: readonly string[];
  readonly days: number;
  readonly now?: number;
}): Promise<KeyedCertificate & IssuedCertificate> {
  const keys = await generateKeys();
  const issuer = await loadIssuer(options.issuer);
  const period = validity(options.days, options.now ?? Date.now(), issuer.certificate);
  const names = [...new Set(options.hosts)].map((host) => ({ type: isIP(host) === 0 ? ("dns" as const) : ("ip" as const), value: host }));
  const certificate = await x509.X509CertificateGenerator.create({
    ...period,
    subject: commonName("spillway master"),
    issuer: issuer.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: issuer.key,
    signingAlgorithm,
    extensions: [
      ...(await endExtensions(issuer.certificate, keys.publicKey, x509.ExtendedKeyUsage.serverAuth)),
      new x509.SubjectAlternativeNameExtension(names),
    ],
  });
  return {
    certificate: pem(certificate) + pem(issuer.certificate),
    key: await exportKey(keys.privateKey),
    expiresAt: period.notAfter.getTime(),
  };
}

/** What a certificate request asks for. Throws a SpillwayError `bad-csr`. `keySha256` (hex) identifies its public key. */
export async function readSigningRequest(
  csr: string,
): Promise<{ readonly commonName: string; readonly publicKey: webcrypto.CryptoKey; readonly keySha256: string }> {
  let request: x509.Pkcs10CertificateRequest;
  let publicKey: webcrypto.CryptoKey;
  try {
    request = new x509.Pkcs10CertificateRequest(csr);
    publicKey = await request.publicKey.export(keyAlgorithm, ["verify"]);
    if (!(await request.verify())) throw new Error("its signature does not match its key");
  } catch (error) {
    throw badCsr("the certificate request can't be used: it must be a signed PKCS#10 request with an ECDSA P-256 key, as PEM", error);
  }
  // Exported anew, so that one key has one form however the request wrote it.
  const spki = await webcrypto.subtle.exportKey("spki", publicKey);
  const keySha256 = createHash("sha256").update(Buffer.from(spki)).digest("hex");
  return { commonName: request.subjectName.getField("CN")[0] ?? "", publicKey, keySha256 };
}

function badCsr(message: string, cause?: unknown): SpillwayError {
  return new SpillwayError(message, { code: "bad-csr", hint: "Make a new key and request: spillway's agent does with `join`.", cause });
}

function generateKeys(): Promise<KeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
}

/** As a structured name, so that nothing in `value` is read as further fields of the subject. */
function commonName(value: string): x509.JsonName {
  return [{ CN: [value] }];
}

/** Never longer than the issuer itself is valid. */
function validity(days: number, now: number, issuer?: x509.X509Certificate): { notBefore: Date; notAfter: Date } {
  const notAfter = Math.min(now + days * dayMs, issuer?.notAfter.getTime() ?? Number.POSITIVE_INFINITY);
  // Certificates hold whole seconds.
  return { notBefore: new Date(now - backdateMs), notAfter: new Date(Math.floor(notAfter / 1000) * 1000) };
}

async function authorityExtensions(publicKey: webcrypto.CryptoKey, pathLength: number | undefined): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];
}

async function endExtensions(
  issuer: x509.X509Certificate,
  publicKey: webcrypto.CryptoKey,
  usage: x509.ExtendedKeyUsage,
): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([usage]),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
}

async function loadIssuer(issuer: KeyedCertificate): Promise<{ certificate: x509.X509Certificate; key: webcrypto.CryptoKey }> {
  const der = x509.PemConverter.decodeFirst(issuer.key);
  const key = await webcrypto.subtle.importKey("pkcs8", der, keyAlgorithm, false, ["sign"]);
  return { certificate: new x509.X509Certificate(issuer.certificate), key };
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", key);
  return `${x509.PemConverter.encode(der, x509.PemConverter.PrivateKeyTag)}\n`;
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}
