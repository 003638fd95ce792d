/**
 * The host key that a cloud machine is born with: made before the machine, so that even the first connection to it is
 * verified. It travels in the machine's user data, which others may read one day, and so counts only until the machine
 * has made a key of its own.
 */
import { generateKeyPairSync } from "node:crypto";
import { fingerprintOf } from "./host-key.ts";

export interface SeedKey {
  /** PEM, as sshd reads it. */
  readonly privateKey: string;
  /** One line of OpenSSH's form. */
  readonly publicKey: string;
  /** SHA256:… */
  readonly fingerprint: string;
}

const algorithm = "ecdsa-sha2-nistp256";
const curve = "nistp256";

/** ECDSA, since sshd serves one key of each kind: the machine's own, which is Ed25519, can stand beside it until that is pinned. */
export function makeSeedKey(): SeedKey {
  const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const { x, y } = pair.publicKey.export({ format: "jwk" });
  // RFC 5656, 3.1: the algorithm, the curve's name, the point without compression.
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x ?? "", "base64url"), Buffer.from(y ?? "", "base64url")]);
  const blob = Buffer.concat([Buffer.from(algorithm), Buffer.from(curve), point].map(withLength));
  return {
    privateKey: pair.privateKey.export({ type: "sec1", format: "pem" }).toString(),
    publicKey: `${algorithm} ${blob.toString("base64")} spillway-seed`,
    fingerprint: fingerprintOf(blob),
  };
}

function withLength(part: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(part.length);
  return Buffer.concat([length, part]);
}
