import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { batchingSocket } from "./batching-socket.ts";

let server: Server;
let accepted: Promise<Socket>;
beforeEach(async () => {
  server = createServer();
  accepted = once(server, "connection").then(([socket]) => socket as Socket);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => void server.close());

it("sends everything in its order and in one go, also what was written last before the end", async () => {
  const socket = batchingSocket({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
  await once(socket, "connect");
  const other = await accepted;
  const handedOver: number[] = [];
  // How a stream hands over several pieces at once.
  const hook = "_writev";
  const writev = socket[hook]?.bind(socket);
  socket[hook] = (chunks, done) => {
    handedOver.push(chunks.length);
    writev?.(chunks, done);
  };
  for (const piece of ["one ", "two ", "three"]) socket.write(piece);
  const [first] = await once(other, "data");
  expect(String(first)).toBe("one two three");
  expect(handedOver).toEqual([3]);
  socket.write("four ");
  socket.end("five");
  const rest: Buffer[] = [];
  other.on("data", (chunk: Buffer) => rest.push(chunk));
  await once(other, "end");
  expect(Buffer.concat(rest).toString()).toBe("four five");
  other.destroy();
});
