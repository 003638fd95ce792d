import { expect, it } from "vitest";
import { httpProxyOf, isBypassed } from "./http-proxy.ts";

it("reads the proxy of a machine's environment in either case, and what goes past it", () => {
  const lines = [
    "http_proxy=http://proxy.example:3128/",
    'export HTTPS_PROXY="http://secure.example:3128"',
    "NO_PROXY=10.0.0.0/8, .corp.example",
  ];
  expect(httpProxyOf(lines)).toEqual({ address: "http://secure.example:3128", bypass: ["10.0.0.0/8", ".corp.example"] });
  expect(httpProxyOf([lines[0] ?? ""])).toEqual({ address: "http://proxy.example:3128", bypass: [] });
});

it("knows no proxy where none is set, or an empty one", () => {
  expect(httpProxyOf([])).toBeUndefined();
  expect(httpProxyOf(["http_proxy=", "no_proxy=localhost"])).toBeUndefined();
});

it.each([
  ["pool.corp.example", ".corp.example", true],
  ["corp.example", ".corp.example", true],
  ["pool.corp.example", "*.corp.example", true],
  ["pool.corp.example", "corp.example:7070", true],
  ["badcorp.example", "corp.example", false],
  ["10.1.2.3", "10.0.0.0/8", true],
  ["11.1.2.3", "10.0.0.0/8", false],
  ["192.0.2.7", "192.0.2.7", true],
  ["[fd00::7]", "fd00::/8", true],
  ["10.1.2.3", "10.0.0.0/99", false],
  ["anything.example", "*", true],
  ["localhost", "other.example", true],
  ["pool.example", "", false],
])("reaches %s past the proxy when no_proxy is %s: %s", (host, entry, past) => {
  expect(isBypassed({ address: "http://proxy:3128", bypass: [entry] }, host)).toBe(past);
});
