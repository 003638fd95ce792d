import fc from "fast-check";
import { expect, it } from "vitest";
import { expandHostRange } from "./host-range.ts";

it.each([
  ["192.0.2.[11-14]", ["192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14"]],
  ["node[08-11].example.org", ["node08.example.org", "node09.example.org", "node10.example.org", "node11.example.org"]],
  ["www[01:07:3]", ["www01", "www04", "www07"]],
  ["db-[a:c]", ["db-a", "db-b", "db-c"]],
  ["web[1,3,5-6]", ["web1", "web3", "web5", "web6"]],
  ["r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]],
  ["one.example.org", ["one.example.org"]],
  ["2001:db8::7", ["2001:db8::7"]],
])("%s stands for %j", (text, hosts) => {
  expect(expandHostRange(text)).toEqual(hosts);
});

it.each([
  ["n[5-2]", "[5-2] ends before it begins"],
  ["n[1-2", "a bracket that is not closed"],
  ["n1-2]", "a bracket that is not closed"],
  ["n[]", "[] is not a range"],
  ["n[x1-x2]", "[x1-x2] is not a range"],
  ["n[1:9:0]", "has a step of 0"],
  ["n[1-1001]", "more than 1000 hosts"],
  ["n[1-100]m[1-100]", "more than 1000 hosts"],
  ["n[1-99999999999]", "more than 1000 hosts"],
])("%s is refused: %s", (text, words) => {
  expect(() => expandHostRange(text)).toThrow(words);
});

it("counts without gaps, in the width that is written", () => {
  fc.assert(
    fc.property(fc.nat(500), fc.nat(400), fc.boolean(), (first, more, padded) => {
      const written = padded ? String(first).padStart(4, "0") : String(first);
      const hosts = expandHostRange(`n[${written}-${first + more}]`);
      expect(hosts).toHaveLength(more + 1);
      expect(hosts.map((host) => Number(host.slice(1)))).toEqual(Array.from({ length: more + 1 }, (_unused, index) => first + index));
      if (padded) expect(hosts.every((host) => host.length === 5)).toBe(true);
    }),
  );
});
