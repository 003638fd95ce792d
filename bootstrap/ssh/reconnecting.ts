/** Tries again what may succeed in a moment, with growing pauses, until a deadline; what will not change is told at once. */
import { setTimeout as delay } from "node:timers/promises";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type DialFailure, hungUp } from "./connection.ts";

/** For hosts that are to be installed: one may just be booting. */
export const defaultPatienceMs = 120_000;
/** For whoever wants to know whether a host answers: long enough for a server that is busy, short for a person. */
export const shortPatienceMs = 3000;

export interface Patience {
  /** From the first attempt until the last begins. */
  readonly forMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Told before each further attempt: waiting for SSH, 3rd try, refused. */
  readonly onWait?: ((text: string) => void) | undefined;
}

/** What passes the time; tests have another. */
export interface Clock {
  now(): number;
  pause(ms: number, signal: AbortSignal | undefined): Promise<void>;
  /** From 0 to 1. */
  random(): number;
}

export const realClock: Clock = {
  now: () => performance.now(),
  // An aborted pause ends early; the next attempt is not begun then.
  pause: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
  random: Math.random,
};

/** Runs `attempt` until it succeeds. Throws its error when that won't pass, or when the time is over; and `cancelled`. */
export async function reconnecting<T>(
  attempt: () => Promise<T>,
  { forMs, signal, onWait }: Patience,
  clock: Clock = realClock,
): Promise<T> {
  const deadline = clock.now() + forMs;
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      const why = passingCause(error);
      const pause = pauseMs(tries, clock.random());
      if (why === undefined || clock.now() + pause > deadline) throw error;
      onWait?.(`waiting for SSH, ${ordinal(tries + 1)} try, ${why}`);
      await clock.pause(pause, signal);
      if (signal?.aborted === true) throw error;
    }
  }
}

const firstPauseMs = 250;
const longestPauseMs = 10_000;

/** Doubles with each try up to 10 s; between half of that and the whole, so that a fleet does not come back all at once. */
export function pauseMs(tries: number, random: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(tries - 1, 16)) * (0.5 + random / 2);
}

/** The system's codes of what may be otherwise in a moment, in words. */
const passing: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ETIMEDOUT: "no answer",
  EHOSTUNREACH: "no route",
  ENETUNREACH: "no route",
  EHOSTDOWN: "no route",
  ENETDOWN: "no route",
  EAI_AGAIN: "no name server",
  [hungUp]: "hung up before the login",
};
/** CONNECT_FAILED and RESOURCE_SHORTAGE of RFC 4254, 5.1. */
const passingReasons: Readonly<Record<number, string>> = { 2: "not reached from its jump host", 4: "its jump host is busy" };

/** Why a connection failed, when that may pass; undefined for a wrong key, a refused login and all else. */
export function passingCause(error: unknown): string | undefined {
  if (!(error instanceof SpillwayError) || error.code !== "ssh-unreachable") return undefined;
  const failure = error.cause as DialFailure | undefined;
  if (failure === undefined) return undefined;
  if (failure.reason !== undefined) return passingReasons[failure.reason];
  if (failure.level === "client-timeout") return "no answer";
  if (/lost before handshake/i.test(failure.message)) return passing[hungUp];
  return typeof failure.code === "string" ? passing[failure.code] : undefined;
}

function ordinal(number: number): string {
  const ending = number % 100 > 10 && number % 100 < 14 ? "th" : (["th", "st", "nd", "rd"][number % 10] ?? "th");
  return `${number}${ending}`;
}
