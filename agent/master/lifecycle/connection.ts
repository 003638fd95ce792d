/** A connection of an agent as the rest of the master sees it. */
import type WebSocket from "ws";
import type { RawData } from "ws";
import type { MasterMessage } from "../../contract/wire.ts";
import type { Clock } from "../clock.ts";

export interface ControlConnection {
  readonly node: string;
  /** sha256 of the public key it proved to have. */
  readonly keySha256: string;
  /** Tasks whose `run` was sent on this connection and that have not ended. */
  readonly sentRuns: Set<string>;
  /** Does nothing once the connection is closed. */
  send(message: MasterMessage): void;
  close(code: number, reason: string): void;
  /** Tells the agent that its node was removed, and only confirms its last reports from then on. */
  leave(): void;
}

/** WebSocket close codes of our own. `refused` also stands for a certificate that a newer one has replaced. */
export const closeCodes = { replaced: 4000, refused: 4001 } as const;

/** How long the other end may take to answer a close. */
const closeTimeoutMs = 2000;

/** Closes a WebSocket and, when the other end does not answer, cuts it off. */
export function closeSoon(clock: Clock, socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  clock.after(closeTimeoutMs, () => socket.terminate());
}

/** A frame in one piece. */
export function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}
