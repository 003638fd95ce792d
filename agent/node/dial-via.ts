/** Connects to a master through a place that leads on to it, e.g. a tunnel's end on this machine; it is the endpoint that must answer. */
import { isIP } from "node:net";
import { type ConnectionOptions, checkServerIdentity, connect, type TLSSocket } from "node:tls";
import type { AgentConfig } from "../contract/agent-config.ts";
import { addressOf } from "../contract/endpoint.ts";

export interface OwnConnection {
  readonly createConnection: (options: object) => TLSSocket;
}

/**
 * What `https.request` and `WebSocket` are to be told besides; nothing where the endpoint itself is dialled. Server name,
 * certificate and `Host` stay those of the endpoint, so that whoever sits in between can't answer in its place.
 */
export function connectionVia({ endpoint, dialVia }: Pick<AgentConfig, "endpoint" | "dialVia">): OwnConnection | Record<string, never> {
  if (dialVia === undefined) return {};
  const { host: name } = addressOf(endpoint);
  return {
    createConnection: (options: ConnectionOptions) =>
      connect({
        ...options,
        ...dialVia,
        // An address is no server name (RFC 6066, 3).
        servername: isIP(name) === 0 ? name : "",
        checkServerIdentity: (_dialled, certificate) => checkServerIdentity(name, certificate),
      }),
  };
}
