/** A TCP proxy before a host's SSH server: keeps what the client sent, and can cut the line after so many bytes. */

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface SshProxy {
  readonly port: number;
  /**
   * The numbers of the SSH messages that clients sent in the clear, over all connections. The first encrypted message
   * follows NEWKEYS (21), so that without a 21 no login can have been tried (RFC 4253, 7.3).
   */
  messages(): number[];
  /** From now on each connection breaks once the client has sent this many bytes; undefined: never. */
  cutAfter(bytes: number | undefined): void;
  /** Bytes that clients sent, over all connections. */
  sent(): number;
  close(): Promise<void>;
}

const newKeys = 21;

/** Listens on a free loopback port. */
export async function sshProxy(to: { readonly address: string; readonly port?: number }): Promise<SshProxy> {
  const sockets = new Set<Socket>();
  const heard: Buffer[][] = [];
  let limit: number | undefined;
  let sent = 0;
  const server = createServer((client) => {
    const host = connect({ host: to.address, port: to.port ?? 22 });
    const chunks: Buffer[] = [];
    let bytes = 0;
    heard.push(chunks);
    for (const [socket, other] of [
      [client, host],
      [host, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      sent += chunk.length;
      // The start of a connection holds all that is sent in the clear.
      if (bytes < 64 * 1024) chunks.push(chunk);
      if (limit !== undefined && bytes > limit) host.destroy();
    });
    client.pipe(host);
    host.pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    messages: () => heard.flatMap((chunks) => clearMessages(Buffer.concat(chunks))),
    cutAfter: (bytes) => {
      limit = bytes;
    },
    sent: () => sent,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** After the line with the version come packets: length, padding's length, the message's number (RFC 4253, 4.2 and 6). */
function clearMessages(stream: Buffer): number[] {
  const numbers: number[] = [];
  let at = stream.indexOf("\n") + 1;
  while (at > 0 && at + 6 <= stream.length) {
    const number = stream.readUInt8(at + 5);
    numbers.push(number);
    if (number === newKeys) break;
    at += 4 + stream.readUInt32BE(at);
  }
  return numbers;
}
