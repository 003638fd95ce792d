/** One SSH connection that holds a machine's end of a tunnel: a loopback port there, which leads from here on to the master. */
import { connect, type Socket } from "node:net";
import type { AcceptConnection, Client, ClientChannel, RejectConnection, TcpConnectionDetails } from "ssh2";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import { readPortInUse } from "../commands/ports.ts";
import { endFormerTunnel, noteTunnel } from "../commands/tunnel.ts";
import { type Keepalive, openConnection } from "./connection.ts";
import { type Session, sessionOver } from "./session.ts";

/** Where tunnels begin on a machine; what runs there reaches the master by it. */
export const tunnelEntry = { host: "127.0.0.1", port: 7070 } as const;

/** An agent has two connections, and its program's `join` and `renew` another; whatever else is on the machine may not use up our files. */
const maxConnections = 64;
const dialTimeoutMs = 10_000;
/** Noticed after 12 s, a dead line is made anew before a node counts as disconnected, which is after 15 s where nothing else is written. */
const tunnelKeepalive: Keepalive = { intervalMs: 3000, unanswered: 3 };

export interface TunnelEnds {
  readonly machine: Machine;
  /** On the machine's loopback. */
  readonly port: number;
  /** The master, as it is dialled from here. */
  readonly to: { readonly host: string; readonly port: number };
  /** Who holds it, also after a restart: what the same one has left behind on a broken line is ended. Without it nothing is. */
  readonly holder?: string | undefined;
}

export interface TunnelLine {
  /** `taken`: something else has the port. Throws `forwarding-refused`, `ssh-lost`. */
  listen(): Promise<"held" | "taken">;
  /** Resolves when the connection has ended, whoever ended it. */
  readonly ended: Promise<void>;
  /** The port is free again, and what went through it is cut. */
  close(): void;
}

/** Connects and logs in; the port is not taken yet. Throws what `openConnection` throws. */
export async function openTunnelLine(ends: TunnelEnds): Promise<TunnelLine> {
  const { machine, port, to } = ends;
  const where = whereOf(machine);
  const { client, close } = await openConnection(machine, where, tunnelKeepalive);
  const session = sessionOver(client, where, close);
  // Each of the agent's connections listens for the end of it.
  client.setMaxListeners(maxConnections + 32);
  const carried = new Set<Socket>();
  const ended = new Promise<void>((resolve) => {
    client.once("close", () => {
      for (const socket of carried) socket.destroy();
      resolve();
    });
  });
  client.on("tcp connection", (details: TcpConnectionDetails, accept: AcceptConnection<ClientChannel>, reject: RejectConnection) => {
    if (details.destPort !== port || carried.size >= maxConnections) return reject();
    const socket = carry({ accept, reject }, to);
    carried.add(socket);
    socket.once("close", () => carried.delete(socket));
  });
  /** Once the port was found to be taken, a refusal on the same connection has the same reason. */
  let wasTaken = false;

  async function listen(): Promise<"held" | "taken"> {
    if (!session.isOpen()) throw lost(where);
    if (await isGranted(client, port)) return await noted(session, ends);
    if (wasTaken) return "taken";
    wasTaken = (await session.run(readPortInUse(port))).stdout.includes("in-use");
    const ownIsEnded = ends.holder !== undefined && (await session.run(endFormerTunnel(ends.holder))).stdout.includes("ended");
    // Asked once more: it may have become free in between.
    if (await isGranted(client, port)) return await noted(session, ends);
    if (wasTaken || ownIsEnded) return "taken";
    throw new SpillwayError(`its SSH server refuses to hold the tunnel's end (port ${port} on its loopback)`, {
      code: "forwarding-refused",
      where,
      hint: "Its sshd_config must allow it: AllowTcpForwarding yes (or remote), no DisableForwarding, and PermitListen, where it is set, with that port.",
    });
  }

  return { listen, ended, close: () => session.close() };
}

async function noted(session: Session, { holder }: TunnelEnds): Promise<"held"> {
  if (holder !== undefined) await session.run(noteTunnel(holder));
  return "held";
}

/** RFC 4254, 7.1: the answer is yes or no, and says no reason. */
function isGranted(client: Client, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new SpillwayError("the SSH connection broke", { code: "ssh-lost" }));
    client.once("close", closed);
    client.forwardIn(tunnelEntry.host, port, (error) => {
      client.off("close", closed);
      resolve(error === undefined);
    });
  });
}

function lost(where: string): SpillwayError {
  return new SpillwayError("the SSH connection broke", { code: "ssh-lost", where });
}

interface Offered {
  readonly accept: AcceptConnection<ClientChannel>;
  readonly reject: RejectConnection;
}

/** Taken only when the master has been reached: whoever dials on the machine sees the end at once else. */
function carry({ accept, reject }: Offered, to: TunnelEnds["to"]): Socket {
  const socket = connect({ ...to, noDelay: true, timeout: dialTimeoutMs });
  let channel: ClientChannel | undefined;
  socket.once("timeout", () => socket.destroy());
  socket.once("connect", () => {
    socket.setTimeout(0);
    channel = accept();
    channel.on("error", () => socket.destroy());
    channel.on("close", () => socket.destroy());
    channel.pipe(socket).pipe(channel);
  });
  socket.on("error", () => undefined);
  socket.once("close", () => {
    if (channel === undefined) reject();
    else channel.close();
  });
  return socket;
}
