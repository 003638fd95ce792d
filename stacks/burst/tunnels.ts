/**
 * The tunnels that the burster holds, one to each machine of a cloud: of node pools as its configuration says at the moment, of
 * bursts as their stacks do. The master is told when one is lost and when it is back.
 */
import { addressOf } from "../../agent/contract/endpoint.ts";
import { describeError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { keepTunnel, lossOf, type Tunnel, type TunnelState } from "../../bootstrap/ssh/tunnel.ts";
import { openTunnelLine, type TunnelLine, tunnelEntry } from "../../bootstrap/ssh/tunnel-line.ts";
import { providerOf } from "../../providers/registry.ts";
import { type BursterConfig, readBursterConfig } from "./config.ts";
import { knownStacks } from "./stack.ts";

/** For the master's journal; its kinds are `burst-tunnel-lost` and `burst-tunnel-back`. */
export interface TunnelTelling {
  readonly kind: "burst-tunnel-lost" | "burst-tunnel-back";
  readonly burst?: string;
  readonly message: string;
  readonly data: Record<string, unknown>;
}

export interface TunnelsOptions {
  readonly connect: (machine: Machine) => Promise<TunnelLine>;
  readonly tell: (telling: TunnelTelling) => void;
  /** Whether its burst is about to go, so that the loss of its tunnel is nothing to be told. */
  readonly isEnding: (burst: string) => boolean;
}

export interface Tunnels {
  /**
   * Opens those that are new, closes those that were not wanted twice in a row (a stack that is just being written tells of no
   * machines), and leaves the others alone.
   */
  want(machines: readonly Machine[]): void;
  close(): void;
}

export function heldTunnels({ connect, tell, isEnding }: TunnelsOptions): Tunnels {
  const held = new Map<string, Tunnel>();
  const missing = new Set<string>();

  function hold(machine: Machine): Tunnel {
    const { name, burst, pool } = machine;
    const where = { ...(burst === undefined ? {} : { burst }), data: { node: name, pool, host: machine.host } };
    let isLost = false;
    return keepTunnel({
      connect: () => connect(machine),
      onState(state: TunnelState) {
        const wasLost = isLost;
        isLost = state.kind === "lost";
        if (isLost === wasLost || (burst !== undefined && isEnding(burst))) return;
        const why = lossOf(state)?.split("\n")[0];
        if (why === undefined) tell({ kind: "burst-tunnel-back", ...where, message: `The tunnel to node ${name} is back` });
        else
          tell({
            kind: "burst-tunnel-lost",
            ...where,
            message: `The tunnel to node ${name} is lost, by which it reaches the master; it is tried again until it is back: ${why}`,
          });
      },
    });
  }

  return {
    want(machines) {
      const wanted = new Map(machines.map((machine) => [keyOf(machine), machine]));
      for (const [key, tunnel] of held) {
        const isMissing = !wanted.has(key);
        if (isMissing && missing.has(key)) {
          tunnel.close();
          held.delete(key);
        }
        if (isMissing && held.has(key)) missing.add(key);
        else missing.delete(key);
      }
      for (const [key, machine] of wanted) if (!held.has(key)) held.set(key, hold(machine));
    },
    close() {
      for (const tunnel of held.values()) tunnel.close();
      held.clear();
    },
  };
}

/** Everything that decides where the line ends and by which right. */
function keyOf({ name, host, port, user, hostKey, credential, jump }: Machine): string {
  return JSON.stringify([name, host, port, user, hostKey, credential, jump]);
}

/** Those of this burster. */
export function bursterTunnels(config: BursterConfig, options: Omit<TunnelsOptions, "connect">): Tunnels {
  const to = addressOf(config.endpoint);
  return heldTunnels({
    ...options,
    connect: (machine) => openTunnelLine({ machine, port: tunnelEntry.port, to, holder: config.holder }),
  });
}

/** The machines that need a tunnel now; undefined when that can't be read at the moment, or is nobody's any more. */
export function machinesToReach(config: BursterConfig, log: (text: string) => void): Machine[] | undefined {
  try {
    const present = readBursterConfig(config.directory);
    if (present === undefined) return undefined;
    const ofBursts = knownStacks(config).flatMap(({ machines }) => machines);
    return [...present.tunnels, ...ofBursts.filter(({ provider }) => providerOf(provider).isCloud)];
  } catch (error) {
    log(`which tunnels are wanted can't be read: ${describeError(error)}`);
    return undefined;
  }
}
