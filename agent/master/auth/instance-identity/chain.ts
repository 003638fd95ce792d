/** Whether a certificate goes back to one that is trusted, over issuers that came with it or are fetched by its own word. */
import { X509Certificate } from "node:crypto";

/** DER or PEM of the certificate at that address; undefined when it can't be had. */
export type FetchIssuer = (url: string) => Promise<Buffer | undefined>;

export interface ChainOptions {
  readonly roots: readonly X509Certificate[];
  /** Candidates; none of them is believed by itself. */
  readonly issuers: readonly X509Certificate[];
  /** ms since the epoch. */
  readonly now: number;
  readonly fetchIssuer: FetchIssuer;
}

/** Real chains have one issuer between the two ends. */
const longestChain = 4;
/** Where the issuers of Azure's certificates are kept (Azure "Azure Certificate Authority details", host names for allow lists). */
const issuerHosts = new Set(["www.microsoft.com", "caissuers.microsoft.com", "cacerts.digicert.com", "cacerts.digicert.cn"]);
const fetchTimeoutMs = 10_000;
/** A certificate has one or two KiB. */
const maxIssuerBytes = 32 * 1024;

/** Rejects with an Error that says where it ends. */
export async function chainsUp(leaf: X509Certificate, { roots, issuers, now, fetchIssuer }: ChainOptions): Promise<void> {
  let certificate = leaf;
  for (let length = 0; length < longestChain; length++) {
    assertValid(certificate, now);
    const current = certificate;
    if (roots.some((root) => root.fingerprint256 === current.fingerprint256)) return;
    const root = roots.find((one) => isIssuer(one, current));
    if (root !== undefined) return assertValid(root, now);
    const next = issuers.find((one) => one.ca && isIssuer(one, current)) ?? (await fetchedIssuer(current, fetchIssuer));
    if (next === undefined) throw new Error(`its certificate was issued by ${oneLine(current.issuer)}, which is not known here`);
    certificate = next;
  }
  throw new Error("its certificate has more issuers than a real one");
}

function isIssuer(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function assertValid({ validFromDate, validToDate, subject }: X509Certificate, now: number): void {
  if (now < validFromDate.getTime() || now > validToDate.getTime()) {
    throw new Error(
      `the certificate of ${oneLine(subject)} is valid from ${validFromDate.toISOString()} to ${validToDate.toISOString()} only`,
    );
  }
}

async function fetchedIssuer(certificate: X509Certificate, fetchIssuer: FetchIssuer): Promise<X509Certificate | undefined> {
  // Each line is `CA Issuers - URI:http://…`.
  const urls = [...(certificate.infoAccess ?? "").matchAll(/^CA Issuers - URI:(\S+)$/gm)].map(([, url]) =>
    (url ?? "").replace(/^"|"$/g, ""),
  );
  for (const url of urls) {
    const bytes = await fetchIssuer(url);
    if (bytes === undefined) continue;
    try {
      const issuer = new X509Certificate(bytes);
      if (issuer.ca && isIssuer(issuer, certificate)) return issuer;
    } catch {
      // Whatever lies there is no certificate.
    }
  }
  return undefined;
}

const fetched = new Map<string, Buffer>();

/** From the clouds' own places only, so that nobody can send the master about; what comes is proved by the chain, so plain HTTP will do. */
export async function fetchKnownIssuer(url: string): Promise<Buffer | undefined> {
  const kept = fetched.get(url);
  if (kept !== undefined) return kept;
  try {
    const { protocol, hostname, port } = new URL(url);
    if (!["http:", "https:"].includes(protocol) || port !== "" || !issuerHosts.has(hostname)) return undefined;
    const answer = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(fetchTimeoutMs) });
    if (!answer.ok || Number(answer.headers.get("content-length") ?? 0) > maxIssuerBytes) return undefined;
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (bytes.length > maxIssuerBytes) return undefined;
    fetched.set(url, bytes);
    return bytes;
  } catch {
    return undefined;
  }
}

function oneLine(name: string): string {
  return name.split("\n").toReversed().join(", ");
}
