/**
 * Connections that wait a moment for the next action on the same machine: bringing an environment up looks at every host
 * before it changes any, and a login costs host and operator more than most of what is done over it.
 */
import type { Machine } from "../../agent/contract/machine.ts";
import type { Patience } from "./reconnecting.ts";
import { connectSession, type Session } from "./session.ts";

interface Kept {
  readonly session: Session;
  readonly timer: NodeJS.Timeout;
}

/** Between the look at the hosts and the first node lies the installation of the master. */
const defaultKeepMs = 30_000;
/** 0: none is kept. An open connection keeps its process alive, so only one that is ended from outside may ask for it. */
let keepMs = 0;
const idle = new Map<string, Kept[]>();

/** From now on this process keeps sessions that are given back. */
export function keepSessions(forMs = defaultKeepMs): void {
  keepMs = forMs;
}

/** One that was given back and is still open, else a new one; it is the taker's alone. Throws what `connectSession` throws. */
export async function takeSession(machine: Machine, patience: Patience): Promise<Session> {
  const key = keyOf(machine);
  for (let kept = idle.get(key)?.pop(); kept !== undefined; kept = idle.get(key)?.pop()) {
    clearTimeout(kept.timer);
    if (kept.session.isOpen()) return kept.session;
  }
  return await connectSession(machine, patience);
}

/** For whoever did what it wanted to; after a failure a session is closed. */
export function giveBack(machine: Machine, session: Session): void {
  if (keepMs === 0 || !session.isOpen()) return session.close();
  const key = keyOf(machine);
  const kept: Kept = { session, timer: setTimeout(() => forget(key, kept), keepMs) };
  kept.timer.unref();
  idle.set(key, [...(idle.get(key) ?? []), kept]);
}

/** Closes all that wait. */
export function closeKeptSessions(): void {
  for (const [key, all] of idle) for (const kept of all) forget(key, kept);
}

function forget(key: string, kept: Kept): void {
  const others = (idle.get(key) ?? []).filter((one) => one !== kept);
  if (others.length === 0) idle.delete(key);
  else idle.set(key, others);
  clearTimeout(kept.timer);
  kept.session.close();
}

/** Everything that decides where a login ends and by which right. */
function keyOf({ host, port, user, hostKey, credential, jump }: Machine): string {
  return JSON.stringify([host, port, user, hostKey, credential, jump]);
}
