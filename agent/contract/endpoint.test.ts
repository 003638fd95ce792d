import { expect, it } from "vitest";
import { addressOf } from "./endpoint.ts";

it.each([
  ["https://pool.example.org:7070", { host: "pool.example.org", port: 7070 }],
  ["https://pool.example.org", { host: "pool.example.org", port: 443 }],
  ["https://pool.example.org:443", { host: "pool.example.org", port: 443 }],
  ["https://[2001:db8::7]:7070/", { host: "2001:db8::7", port: 7070 }],
])("%s leads to %j", (url, address) => {
  expect(addressOf(url)).toEqual(address);
});
