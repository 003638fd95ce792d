import ssh2 from "ssh2";
import { expect, it } from "vitest";
import { makeSshKey } from "./machine.ts";

it("makes keys that can be read again, every one of them", () => {
  const unreadable = Array.from({ length: 2000 }, () => makeSshKey("a test")).filter((key) =>
    [key.privateKey, key.publicKey].some((text) => ssh2.utils.parseKey(text) instanceof Error),
  );
  expect(unreadable).toEqual([]);
});
