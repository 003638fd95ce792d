/** Host keys: the fingerprint that a machine presents against the one that is pinned. */
import { createHash } from "node:crypto";

/** OpenSSH's form of a key's fingerprint: `SHA256:` and unpadded base64. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

export function hostKeyMatches(key: Buffer, pinned: string): { matches: boolean; presented: string } {
  const presented = fingerprintOf(key);
  return { matches: presented === pinned, presented };
}
