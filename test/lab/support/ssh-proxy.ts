/** A TCP proxy before a host's SSH server: keeps what the client sent, breaks the line at a byte or a moment, and makes it long. */
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
  /** Bytes that the host sent, over all connections. */
  received(): number;
  /** How many connections were begun. */
  connections(): number;
  close(): Promise<void>;
}

/** Where a connection breaks: whatever comes first. */
export interface Cut {
  /** The last byte from the client that still passes. */
  readonly fromClient?: number;
  readonly fromHost?: number;
  readonly afterMs?: number;
}

export interface SshProxyOptions {
  /** For each connection as it begins, from 0: where it breaks; undefined: nowhere. */
  readonly cut?: (connection: number) => Cut | undefined;
  /** Each way. */
  readonly latencyMs?: number;
}

const newKeys = 21;
/** The start of a connection holds all that is sent in the clear. */
const clearBytes = 64 * 1024;
/** What is under way on a long line before the sender has to wait. */
const windowBytes = 8 * 1024 * 1024;

/** Listens on a free loopback port. */
export async function sshProxy(
  to: { readonly address: string; readonly port?: number },
  { cut = () => undefined, latencyMs = 0 }: SshProxyOptions = {},
): Promise<SshProxy> {
  const sockets = new Set<Socket>();
  const heard: Buffer[][] = [];
  let limit: number | undefined;
  let [sent, received] = [0, 0];
  const server = createServer((client) => {
    const wanted = cut(heard.length);
    const host = connect({ host: to.address, port: to.port ?? 22 });
    const chunks: Buffer[] = [];
    heard.push(chunks);
    const end = () => {
      client.destroy();
      host.destroy();
    };
    const timer = wanted?.afterMs === undefined ? undefined : setTimeout(end, wanted.afterMs);
    for (const socket of [client, host]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", () => {
        clearTimeout(timer);
        sockets.delete(socket);
        end();
      });
    }
    let bytes = 0;
    carry(client, host, {
      latencyMs,
      limit: () => least(limit, wanted?.fromClient),
      onChunk: (chunk) => {
        if (bytes < clearBytes) chunks.push(chunk);
        bytes += chunk.length;
        sent += chunk.length;
      },
      onLimit: end,
    });
    carry(host, client, {
      latencyMs,
      limit: () => wanted?.fromHost,
      onChunk: (chunk) => {
        received += chunk.length;
      },
      onLimit: end,
    });
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
    received: () => received,
    connections: () => heard.length,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

interface Way {
  readonly latencyMs: number;
  /** Bytes that may pass, as it is now. */
  readonly limit: () => number | undefined;
  readonly onChunk: (chunk: Buffer) => void;
  readonly onLimit: () => void;
}

/** One direction, byte for byte in order: timers of one length end in the order in which they began. */
function carry(from: Socket, to: Socket, { latencyMs, limit, onChunk, onLimit }: Way): void {
  let [passed, underWay] = [0, 0];
  const later = (act: () => void) => (latencyMs === 0 ? act() : setTimeout(act, latencyMs));
  from.on("data", (chunk: Buffer) => {
    const left = (limit() ?? Number.POSITIVE_INFINITY) - passed;
    const part = chunk.length > left ? chunk.subarray(0, Math.max(left, 0)) : chunk;
    passed += chunk.length;
    underWay += part.length;
    onChunk(part);
    if (underWay > windowBytes) from.pause();
    later(() => {
      underWay -= part.length;
      if (to.destroyed) return;
      // The bytes before the break still arrive.
      const isBreak = part.length < chunk.length;
      const isTaken = to.write(part, () => void (isBreak && onLimit()));
      if (!isTaken) {
        from.pause();
        to.once("drain", () => from.resume());
      } else if (underWay <= windowBytes) from.resume();
    });
  });
  from.on("end", () => later(() => to.end()));
}

function least(...limits: readonly (number | undefined)[]): number | undefined {
  const known = limits.filter((one) => one !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
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
