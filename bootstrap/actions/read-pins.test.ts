import { expect, test } from "vitest";
import { parsePins } from "./read-pins.ts";

test("what the master's machine prints is believed line by line", () => {
  const node = { kind: "node", name: "rack-1", pool: "rack", host: "192.0.2.11", port: 22, user: "ops", hostKey: "SHA256:x" };
  const burst = { kind: "burst", id: "b-1", state: "live", nodes: ["b-1-1"], hourly: 0.1 };
  const text = [JSON.stringify(node), "some noise", JSON.stringify(burst), JSON.stringify({ kind: "secret" }), ""].join("\n");
  expect(parsePins(text)).toEqual([node, burst]);
});
