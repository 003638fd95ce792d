/** A TCP connection that gives the system in one go what is written to it in one turn: SSH's packets come in three pieces each. */
import { connect, type Socket } from "node:net";

export function batchingSocket(address: { readonly host: string; readonly port: number }): Socket {
  // Without `noDelay` each small message waits 40 ms for the acknowledgement of the one before.
  const socket = connect({ ...address, noDelay: true });
  // Each channel listens for its end.
  socket.setMaxListeners(0);
  const write = socket.write.bind(socket) as (...words: unknown[]) => boolean;
  socket.write = (...words: unknown[]) => {
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    return write(...words);
  };
  return socket;
}
