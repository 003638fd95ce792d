/** How the plugin's resources reach the master: endpoint, CA and admin token, and waiting until it answers. */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { type Client, createClient } from "../../agent/contract/client.ts";
import { cancelled, SpillwayError } from "../../agent/contract/errors.ts";

/** Inputs shared by every resource that talks to the master. */
export const masterAccess = z.object({
  endpoint: z.string(),
  caCert: z.string(),
  adminToken: z.string(),
  masterInstance: z.string().describe("another master knows nothing of what was told to the one before"),
});
/** What is needed to dial it. */
export type MasterAccess = Pick<z.infer<typeof masterAccess>, "endpoint" | "caCert" | "adminToken">;

/** Calls `act` with a client and closes its connections afterwards. */
export async function withMaster<T>(access: MasterAccess, act: (client: Client) => Promise<T>): Promise<T> {
  const client = createClient({ url: access.endpoint, ca: access.caCert, token: access.adminToken });
  try {
    return await act(client);
  } finally {
    client.dispose();
  }
}

/** A master that was killed is back within seconds: its supervisor starts it anew. */
const restartAllowanceMs = 10_000;

/**
 * As `withMaster`, but a master that does not answer is asked again for a while. `act` may run more than once, so it
 * must change nothing the second time.
 */
export async function withPatientMaster<T>(access: MasterAccess, act: (client: Client) => Promise<T>): Promise<T> {
  const deadline = Date.now() + restartAllowanceMs;
  for (;;) {
    try {
      return await withMaster(access, act);
    } catch (error) {
      if (!(isUnreachable(error) || isStarting(error)) || Date.now() > deadline) throw error;
      await delay(100);
    }
  }
}

const silences = ["master-unreachable", "master-timeout", "stream-interrupted"];

/** Whether the operator typed the environment's name to give up what its master knows. */
export function isForgotten(environment: string): boolean {
  return process.env.SPILLWAY_FORGET === environment;
}

/** Whether the error says that the master does not know us, or we do not know it: its certificates or tokens are others by now. */
export function isStranger(error: unknown): boolean {
  return error instanceof SpillwayError && (error.code === "master-untrusted" || error.code === "unauthorized");
}

function isStarting(error: unknown): boolean {
  return error instanceof SpillwayError && error.code === "starting";
}

/** Whether the error says that no master answered; anything else it says is an answer. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof SpillwayError && silences.includes(error.code);
}

/**
 * Asks until `good` accepts the answer, telling what it waits for. Throws `timed-out` with the last answer's own words.
 * `probe` returns undefined when all is well, else what is still missing.
 */
export async function waitFor(options: {
  readonly what: string;
  readonly timeoutMs: number;
  readonly probe: () => Promise<string | undefined>;
  readonly signal: AbortSignal;
  /** 50 where the wait is short. */
  readonly pollMs?: number;
}): Promise<void> {
  const deadline = Date.now() + options.timeoutMs;
  let missing: string | undefined;
  do {
    try {
      missing = await options.probe();
      if (missing === undefined) return;
    } catch (error) {
      missing = error instanceof Error ? error.message : String(error);
    }
    await delay(options.pollMs ?? 50, undefined, { signal: options.signal }).catch(() => undefined);
  } while (Date.now() < deadline && !options.signal.aborted);
  if (options.signal.aborted) throw cancelled();
  throw new SpillwayError(`${options.what} within ${options.timeoutMs / 1000} s did not come true: ${missing}`, {
    code: "timed-out",
    hint: "Run it again: it goes on from here. ./spillway events tells what the master saw.",
  });
}
