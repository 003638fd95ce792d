/** A free port on loopback below the range that outgoing connections use, so that a restart finds it free again. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Linux hands out 32768–60999 to outgoing connections, macOS 49152–65535. */
const lowest = 20_000;
const highest = 32_000;

/** Ports given away by this process; their servers may not listen yet. */
const givenAway = new Set<number>();

/** Throws a plain Error when 100 tries found none. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(lowest, highest);
    if (givenAway.has(port) || !(await canListen(port))) continue;
    givenAway.add(port);
    return port;
  }
  throw new Error(`no free port between ${lowest} and ${highest} on 127.0.0.1`);
}

/** Whether nobody listens on this port of 127.0.0.1. */
export function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
