/** Waits for a machine that makes itself a node: it is seen by the master only, which also hears what keeps it from that. */
import { ifFound, SpillwayError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { type MasterAccess, waitFor, withMaster } from "./master-access.ts";
import type { ResourceContext } from "./rpc.ts";

/** A machine that has its bundle in its image is ready after a minute; one that has not, after a few. */
const defaultTimeoutMs = 10 * 60_000;

export interface Joining extends MasterAccess {
  readonly machine: Pick<Machine, "name" | "connectTimeoutMs">;
}

/**
 * Throws `join-refused` with the machine's own words as soon as it has said them, and `not-joined` when nothing is heard of it. It
 * is ready whatever bundle it runs: that is the rollout's.
 */
export async function awaitJoined(spec: Joining, { status, signal }: Pick<ResourceContext, "status" | "signal">): Promise<void> {
  const { name, connectTimeoutMs = defaultTimeoutMs } = spec.machine;
  let refusal: SpillwayError | undefined;
  status("waiting until it has joined by itself");
  await waitFor({
    what: `node ${name} has joined by itself`,
    timeoutMs: connectTimeoutMs,
    pollMs: 1000,
    signal,
    probe: () =>
      withMaster(spec, async (client) => {
        const known = await client.node(name);
        if (known.state === "ready") return undefined;
        const token = known.state === "joining" ? await ifFound(client.joinTokenState(name)) : undefined;
        if (token?.problem !== undefined) {
          refusal = joinRefused(name, token.problem);
          return undefined;
        }
        return `it is ${known.state} (${known.stateReason})`;
      }),
  }).catch((error: unknown) => {
    throw error instanceof SpillwayError && error.code === "timed-out" ? notJoined(name, error) : error;
  });
  if (refusal !== undefined) throw refusal;
}

function notJoined(name: string, cause: SpillwayError): SpillwayError {
  return new SpillwayError(cause.message, {
    code: "not-joined",
    where: `node ${name}`,
    hint: "Nobody can log in to its machine: its console tells how far it came. What can't be mended is replaced: delete the machine at its cloud, and run it again.",
    cause,
  });
}

function joinRefused(name: string, problem: string): SpillwayError {
  return new SpillwayError(`its machine can't take the agent, by its own word: ${problem}`, {
    code: "join-refused",
    where: `node ${name}`,
    hint: "Nobody can log in to it: mend the settings (image, type, network) and replace the machine. Its console has all it said.",
  });
}
