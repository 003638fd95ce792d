/** Is this the admin's bearer token? The master holds only its sha256, and compares in constant time. */
import { createHash, timingSafeEqual } from "node:crypto";

/** `header` is the Authorization header; `sha256` is hex. */
export function isAdmin(header: string | undefined, sha256: string): boolean {
  const match = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header ?? "");
  if (match === null) return false;
  const given = createHash("sha256").update(String(match[1])).digest();
  const expected = Buffer.from(sha256, "hex");
  return expected.length === given.length && timingSafeEqual(given, expected);
}
