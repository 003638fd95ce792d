import { expect, it } from "vitest";
import { keyOfNobody } from "./key-of-nobody.ts";

it("is a line of OpenSSH's form with a key of 32 bytes, the same each time and another for each machine", () => {
  const [kind, blob = ""] = keyOfNobody("m1").split(" ");
  const bytes = Buffer.from(blob, "base64");
  expect(kind).toBe("ssh-ed25519");
  expect(bytes.subarray(4, 15).toString()).toBe("ssh-ed25519");
  expect(bytes.readUInt32BE(15)).toBe(32);
  expect(bytes).toHaveLength(4 + 11 + 4 + 32);
  expect(keyOfNobody("m1")).toBe(keyOfNobody("m1"));
  expect(keyOfNobody("m1")).not.toBe(keyOfNobody("m2"));
});
