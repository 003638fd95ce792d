/** Renews this node's certificate in time, in a process of its own: the X.509 library would stay in the agent's memory for good. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describeError } from "../contract/errors.ts";
import { setAlarm } from "./alarm.ts";
import { readIdentity } from "./identity.ts";
import type { Log } from "./log.ts";

export interface RenewalOptions {
  readonly stateDir: string;
  /** argv of the process that renews once. */
  readonly command: readonly string[];
  readonly log: Log;
}

const renewalTimeoutMs = 60_000;

/** Returns the way to call it off. */
export function keepRenewed({ stateDir, command, log }: RenewalOptions): () => void {
  let cancel = () => {};
  let cancelled = false;

  function plan(failures: number): void {
    const identity = readIdentity(stateDir);
    if (identity === undefined || cancelled) return;
    if (Date.now() >= identity.notAfter) log.error("this node's certificate has expired: it has to join again");
    else cancel = setAlarm(renewalTime(identity, failures, Date.now()), () => void renew(failures));
  }

  async function renew(failures: number): Promise<void> {
    const [program = process.execPath, ...args] = command;
    try {
      const { stdout } = await promisify(execFile)(program, args, { timeout: renewalTimeoutMs });
      log.info(stdout.trim());
      plan(0);
    } catch (error) {
      const told = (error as { stderr?: string }).stderr?.trim();
      log.warn(`the certificate could not be renewed: ${told === undefined || told === "" ? describeError(error) : told}`);
      plan(failures + 1);
    }
  }

  plan(0);
  return () => {
    cancelled = true;
    cancel();
  };
}

/** When to try: at two thirds of the certificate's life; after a failure in a sixtieth of it, at least 1 s. ms since the epoch. Pure. */
export function renewalTime(identity: { notBefore: number; notAfter: number }, failures: number, now: number): number {
  const lifeMs = identity.notAfter - identity.notBefore;
  return failures === 0 ? identity.notBefore + (lifeMs * 2) / 3 : now + Math.max(1000, lifeMs / 60);
}
