/** Opens one of the agent's two connections: a WebSocket over mTLS to the master, verified against the environment's CA. */
import { readFileSync } from "node:fs";
import WebSocket from "ws";
import type { AgentConfig } from "../contract/agent-config.ts";
import { SpillwayError } from "../contract/errors.ts";
import { maxControlFrameBytes } from "../contract/wire.ts";
import { connectionVia } from "./dial-via.ts";
import { readIdentity } from "./identity.ts";

const handshakeTimeoutMs = 10_000;

/** Reads key, certificate and CA anew each time, so that a renewed certificate is used. Throws `not-joined`. */
export function dialMaster(config: AgentConfig, path: string): WebSocket {
  const identity = readIdentity(config.stateDir);
  if (identity === undefined) {
    throw new SpillwayError("this node has no certificate", { code: "not-joined", where: config.node, hint: "run `join` first" });
  }
  const url = new URL(path, config.endpoint);
  url.protocol = "wss:";
  return new WebSocket(url, {
    ...connectionVia(config),
    ca: readFileSync(config.caFile, "utf8"),
    key: identity.key,
    cert: identity.chain,
    handshakeTimeout: handshakeTimeoutMs,
    maxPayload: maxControlFrameBytes,
    perMessageDeflate: false, // small frames; a deflate context would cost more memory than it saves bytes
    followRedirects: false,
  });
}
