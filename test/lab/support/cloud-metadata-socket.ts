/** Opens the socket of the metadata service in the network it is started in, hands it to its parent and ends. */
import { createServer } from "node:net";

const [, , address] = process.argv;
const server = createServer();
server.listen({ host: address, port: 80 }, () => {
  process.send?.("socket", server, undefined, () => process.exit(0));
});
