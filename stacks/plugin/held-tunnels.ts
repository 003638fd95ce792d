/**
 * Tunnels that this process holds to machines of clouds while it makes them nodes, and until the burster does: an agent that has
 * just joined must not lose its master between two steps.
 */
import { setTimeout as delay } from "node:timers/promises";
import { addressOf } from "../../agent/contract/endpoint.ts";
import { cancelled, SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import { defaultPatienceMs } from "../../bootstrap/ssh/reconnecting.ts";
import { keepTunnel, type Tunnel } from "../../bootstrap/ssh/tunnel.ts";
import { openTunnelLine, tunnelEntry } from "../../bootstrap/ssh/tunnel-line.ts";
import type { ResourceContext } from "./rpc.ts";

const held = new Map<string, Tunnel>();
const pollMs = 50;

export interface TunnelWish {
  readonly machine: Machine;
  /** The master's https URL, as it is dialled from here. */
  readonly endpoint: string;
  /** On the machine's loopback; that of all tunnels without it. */
  readonly port?: number;
  /** How long an SSH server that does not answer is tried, ms; as the machine's settings say without it. */
  readonly patienceMs?: number;
}

/**
 * Resolves when the machine's tunnel is there, whoever holds it: the burster, where it knows the machine already. It stays until
 * `releaseTunnels`, or this process's end. Throws `forwarding-refused`, what `openConnection` throws, and `cancelled`.
 */
export async function holdTunnel(wish: TunnelWish, { status, signal }: Pick<ResourceContext, "status" | "signal">): Promise<void> {
  const { machine, endpoint, port = tunnelEntry.port, patienceMs = machine.connectTimeoutMs ?? defaultPatienceMs } = wish;
  const to = addressOf(endpoint);
  const key = JSON.stringify([machine.name, machine.host, machine.port, machine.hostKey, port, to]);
  const tunnel = held.get(key) ?? keepTunnel({ connect: () => openTunnelLine({ machine, port, to }), onState: () => undefined });
  held.set(key, tunnel);
  status("opening the tunnel to the master");
  try {
    await opened(tunnel, { where: whereOf(machine), deadline: performance.now() + patienceMs, signal });
  } catch (error) {
    tunnel.close();
    held.delete(key);
    throw error;
  }
}

/** Whoever holds them from now on takes them over within a second or two, in which their agents connect again. */
export function releaseTunnels(): void {
  for (const tunnel of held.values()) tunnel.close();
  held.clear();
}

async function opened(
  tunnel: Tunnel,
  { where, deadline, signal }: { readonly where: string; readonly deadline: number; readonly signal: AbortSignal },
): Promise<void> {
  for (;;) {
    const state = tunnel.state();
    if (state.kind === "open" || state.kind === "elsewhere") return;
    const mayPass = state.kind !== "lost" || passing.includes((state.error as Partial<SpillwayError>).code ?? "");
    if (state.kind === "lost" && !mayPass) throw state.error;
    if (signal.aborted) throw cancelled(where);
    if (performance.now() > deadline) throw state.kind === "lost" ? state.error : tooLate(where);
    await delay(pollMs);
  }
}

const passing: readonly string[] = ["ssh-unreachable", "ssh-lost"];

function tooLate(where: string): SpillwayError {
  return new SpillwayError("the tunnel to the master was not opened in time", {
    code: "ssh-unreachable",
    where,
    hint: "Look whether it is on and reachable, then run it again; it goes on from here.",
  });
}
