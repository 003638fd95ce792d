import { expect, test } from "vitest";
import { adoptionText, trustedKeys } from "./nodes-adopt.ts";

const key = `SHA256:${"A".repeat(43)}`;
const look = {
  environmentId: "id-1",
  supersedes: false,
  adopted: ["rack-1", "rack-2"],
  fresh: [],
  missing: [],
  unnamed: [],
  bursts: [],
  hasRecords: true,
  keys: new Map<string, string>(),
  machines: 2,
};

test("a fingerprint is the master's machine's, unless another is named", () => {
  expect([...trustedKeys([key, `rack-3=${key}`])]).toEqual([
    ["", key],
    ["rack-3", key],
  ]);
  expect(() => trustedKeys(["rack-3"])).toThrow(/is not a fingerprint/);
});

test("what is found and what will happen to tasks is said before anything is done", () => {
  expect(adoptionText("prod", look)).toBe(
    [
      "prod (id-1): 2 of 2 machines say that they are its own",
      "  renewed     root CA, certificates and admin token; every node joins anew with them",
      "  tasks       they go on; the master has its records",
    ].join("\n"),
  );
  expect(adoptionText("prod", { ...look, hasRecords: false })).toContain("what runs on nodes is ended");
});

test("what is new, missing, bought and named nowhere is told", () => {
  const text = adoptionText("prod", {
    ...look,
    fresh: ["rack-3"],
    missing: [{ where: "machine rack-4 (192.0.2.4:22)", why: "refused\nlook there" }],
    unnamed: ["old-7"],
    bursts: [{ kind: "burst", id: "b-1", state: "live", nodes: ["b-1-1"], hourly: 0.2 }],
    keys: new Map([["rack-2", key]]),
    machines: 4,
  });
  for (const part of [
    "rack-3: nobody's yet",
    "machine rack-4 (192.0.2.4:22): refused",
    "old-7",
    "b-1 ($0.20/hour) end",
    "1 host by the master's pins",
  ])
    expect(text).toContain(part);
  expect(text).not.toContain("look there");
});
