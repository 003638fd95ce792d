/**
 * Hosts that you own. They were there before us and stay: nothing is bought, switched on or deleted. Whether such a host
 * has power only its owner knows, so one that does not answer is silent, never stopped or gone.
 */
import { connect } from "node:net";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import { firstHop, type Machine, whereOf } from "../../agent/contract/machine.ts";
import type { Listing, ListScope, MachineStatus, Provider } from "../provider.ts";

const dialTimeoutMs = 5000;
/** Hosts that are logged in to at a time. */
const askedAtOnce = 16;
/** The longest line an SSH server may open with (RFC 4253, 4.2). */
const greetingBytes = 255;

export const sshProvider: Provider = {
  name: "ssh",
  isCloud: false,

  async status(machine: Machine): Promise<MachineStatus> {
    // Behind a jump host only a login tells; what can be asked without one is whether the way there is open.
    const { host, port } = firstHop(machine);
    return (await greets(host, port)) ? "running" : "silent";
  },

  async start(machine: Machine): Promise<void> {
    if ((await this.status(machine)) === "running") return;
    throw new SpillwayError("it does not answer, and a host of your own can't be switched on from here", {
      code: "machine-silent",
      where: whereOf(machine),
      hint: "Switch it on, or mend its network, and run it again.",
    });
  },

  /** Its owner keeps it; what we installed has been removed before. */
  async delete(): Promise<void> {},

  /** Nothing was made here; a host bears the tag that the bootstrap wrote on it, and is called by the name it got then. */
  async list(environmentId: string, { hosts, identityOf }: ListScope): Promise<Listing> {
    const listings: Listing[] = [];
    for (let next = 0; next < hosts.length; next += askedAtOnce) {
      const asked = hosts.slice(next, next + askedAtOnce).map((host) => listingOf(host, environmentId, identityOf));
      listings.push(...(await Promise.all(asked)));
    }
    return { machines: listings.flatMap(({ machines }) => machines), things: [], unasked: listings.flatMap(({ unasked }) => unasked) };
  },

  /** It goes on without us. */
  endCommand: () => [],
};

async function listingOf(host: Machine, environmentId: string, identityOf: ListScope["identityOf"]): Promise<Listing> {
  try {
    const identity = await identityOf(host);
    if (identity?.environmentId !== environmentId) return { machines: [], things: [], unasked: [] };
    const tag = identity.burst === undefined ? {} : { burst: identity.burst };
    return {
      machines: [{ machine: { ...host, name: identity.machine, ...tag }, environmentId, ...tag, status: "running" }],
      things: [],
      unasked: [],
    };
  } catch (error) {
    return { machines: [], things: [], unasked: [{ machine: host, why: describeError(error) }] };
  }
}

/** What identifies a host at this provider: its address. */
export function sshProviderId(host: string, port: number): string {
  return `ssh://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Whether an SSH server opens the conversation there. */
function greets(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let heard = "";
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(dialTimeoutMs, () => end(false));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString("latin1");
      if (heard.startsWith("SSH-")) end(true);
      else if (heard.length > greetingBytes) end(false);
    });
  });
}
