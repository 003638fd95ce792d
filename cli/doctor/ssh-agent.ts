/** Asks the ssh-agent how many keys it holds (draft-miller-ssh-agent: request 11, answer 12); no key leaves it. */
import { connect } from "node:net";

const listRequest = Buffer.from([0, 0, 0, 1, 11]);
const listAnswer = 12;
const timeoutMs = 2000;

/** Undefined when nothing answers there as an agent does. */
export function keysInAgent(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    let heard = Buffer.alloc(0);
    const end = (keys: number | undefined) => {
      socket.destroy();
      resolve(keys);
    };
    socket.setTimeout(timeoutMs, () => end(undefined));
    socket.once("error", () => end(undefined));
    socket.once("close", () => end(undefined));
    socket.once("connect", () => socket.write(listRequest));
    socket.on("data", (chunk) => {
      heard = Buffer.concat([heard, chunk]);
      // Length (4 bytes), kind (1), number of keys (4).
      if (heard.length >= 5 && heard.readUInt8(4) !== listAnswer) end(undefined);
      else if (heard.length >= 9) end(heard.readUInt32BE(5));
    });
  });
}
