/** A tunnel that is kept for as long as it is wanted: connected again whenever its line breaks, and held as soon as its port is free. */
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import { type Clock, pauseMs, realClock } from "./reconnecting.ts";
import { type TunnelLine, tunnelEntry } from "./tunnel-line.ts";

/** `elsewhere`: somebody else holds the port, and is left to it until it is free. */
export type TunnelState =
  | { readonly kind: "connecting" | "open" | "elsewhere" }
  /** Tried again and again all the same. */
  | { readonly kind: "lost"; readonly error: unknown };

export interface Tunnel {
  state(): TunnelState;
  /** Its port is free from now on; an attempt that is under way comes to nothing. */
  close(): void;
}

export interface TunnelOptions {
  readonly connect: () => Promise<TunnelLine>;
  /** Told when it becomes another one; of a tunnel that stays lost the first error counts. */
  readonly onState: (state: TunnelState) => void;
  readonly clock?: Clock;
}

/** Short: an agent is without its master between one holder's end and the next one's begin. */
const takenPauseMs = 1000;
/**
 * Whoever makes a machine a node holds its tunnel that long at the utmost. Later it is some other program that listens
 * there, and the agent reaches nobody.
 */
const takenTooLongMs = 15 * 60_000;
/** A line that broke sooner is tried again ever more slowly. */
const steadyMs = 10_000;

export function keepTunnel({ connect, onState, clock = realClock }: TunnelOptions): Tunnel {
  const ending = new AbortController();
  const { signal } = ending;
  let state: TunnelState = { kind: "connecting" };
  let line: TunnelLine | undefined;

  function become(next: TunnelState): void {
    if (next.kind === state.kind || signal.aborted) return;
    state = next;
    onState(next);
  }

  /** Returns when the port is ours, or the line's end has been seen. */
  async function hold(current: TunnelLine): Promise<void> {
    const begun = clock.now();
    while (!signal.aborted && (await current.listen()) === "taken") {
      become(clock.now() - begun < takenTooLongMs ? { kind: "elsewhere" } : { kind: "lost", error: occupied() });
      await Promise.race([clock.pause(takenPauseMs * (0.5 + clock.random() / 2), signal), current.ended]);
    }
  }

  async function run(): Promise<void> {
    for (let tries = 1; !signal.aborted; tries++) {
      let heldSince: number | undefined;
      try {
        line = await connect();
        if (!signal.aborted) await hold(line);
        heldSince = clock.now();
        become({ kind: "open" });
        if (!signal.aborted) await line.ended;
        become({ kind: "lost", error: new SpillwayError("its SSH connection broke", { code: "ssh-lost" }) });
      } catch (error) {
        become({ kind: "lost", error });
      } finally {
        line?.close();
        line = undefined;
      }
      if (heldSince !== undefined && clock.now() - heldSince >= steadyMs) tries = 1;
      if (!signal.aborted) await clock.pause(pauseMs(tries, clock.random()), signal);
    }
  }

  void run();
  return {
    state: () => state,
    close() {
      ending.abort();
      line?.close();
    },
  };
}

function occupied(): SpillwayError {
  return new SpillwayError("another program there listens on the tunnel's port, so its agent reaches no master", {
    code: "port-in-use",
    hint: `ss -ltnp 'sport = :${tunnelEntry.port}' names it there: stop it.`,
  });
}

/** One clause for a person. */
export function lossOf(state: TunnelState): string | undefined {
  return state.kind === "lost" ? describeError(state.error) : undefined;
}
