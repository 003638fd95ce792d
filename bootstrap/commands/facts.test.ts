import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, it } from "vitest";
import { readReach, readTunnelReach } from "./facts.ts";

function printed([program = "", ...words]: readonly string[]): string {
  return execFileSync(program, words, { encoding: "utf8" }).trim();
}

it("takes a port that refuses for a host that is there, but for no tunnel", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(printed(readTunnelReach("127.0.0.1", port))).toBe("reached");
  server.close();
  await once(server, "close");
  expect(printed(readReach("127.0.0.1", port))).toBe("reached");
  expect(printed(readTunnelReach("127.0.0.1", port))).toMatch(/^no-way=.*refused/i);
});
