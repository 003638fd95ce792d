import { expect, it } from "vitest";
import { makeSshKey } from "./machine.ts";

/** A length-prefixed "ssh-ed25519" and a length-prefixed key of 32 bytes (RFC 8709). */
const blobBytes = 4 + 11 + 4 + 32;

it("makes keys that can be read again, every one of them", () => {
  const blobs = Array.from({ length: 1000 }, () => Buffer.from(makeSshKey("a test").publicKey.split(" ")[1] ?? "", "base64"));
  expect(blobs.filter((blob) => blob.length !== blobBytes)).toEqual([]);
});
