/** Which node is at the other end of a TLS connection, proved by its client certificate. */
import { createHash } from "node:crypto";
import type { TLSSocket } from "node:tls";

export interface Peer {
  /** The certificate's CN. */
  readonly node: string;
  /** sha256 (hex) of the certificate's public key; the node's record says which ones count. */
  readonly keySha256: string;
}

/** Undefined without a certificate that this environment's root vouches for. */
export function peerOf(socket: TLSSocket): Peer | undefined {
  if (!socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  const node = socket.getPeerCertificate()?.subject?.CN;
  if (certificate === undefined || typeof node !== "string" || node === "") return undefined;
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  return { node, keySha256: createHash("sha256").update(key).digest("hex") };
}
