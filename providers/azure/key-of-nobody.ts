/** The SSH key that Azure insists on, and with which nobody can log in. */
import { createHash } from "node:crypto";

/**
 * An ssh-ed25519 line whose key is a hash: there is no private key to it, and to find one is to break Ed25519. Azure makes no
 * Linux machine without a password or a key of its administrator; who may really log in stands in the user data, whose list
 * of users leaves that administrator's key to nobody.
 */
export function keyOfNobody(machine: string): string {
  const field = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const point = createHash("sha256").update(`nobody has a key to ${machine}`).digest();
  const blob = Buffer.concat([field(Buffer.from("ssh-ed25519")), field(point)]);
  return `ssh-ed25519 ${blob.toString("base64")} nobody`;
}
