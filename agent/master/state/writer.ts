/**
 * The leader's way to the store: memory is changed first, in one synchronous step, then the change is written here, and
 * only when the promise resolves is it acted upon or told. When a write fails, memory is ahead of the store, so the
 * writer refuses everything until the leader has taken the lead again, has read its state anew and calls `resume`. A
 * record no store would take is a bug of one commit: that one is refused, and nothing else.
 */
import type { CrashPoint } from "../../contract/crash-point.ts";
import { SpillwayError } from "../../contract/errors.ts";
import type { Operation, Store } from "./store.ts";

const leaderKey = "meta/leader";

export interface Writer {
  /** Resolves when the operations are durable. Rejects with the fault that stopped the writer. */
  write(point: CrashPoint, operations: readonly Operation[]): Promise<void>;
  /** Resolves when everything written so far is durable: what is told after it can't be taken back. */
  settled(): Promise<void>;
  /** The fault that stopped the writer, if any. Nothing may be changed in memory while there is one. */
  fault(): SpillwayError | undefined;
  /** After a fault, when memory was read anew: reads may be answered again, writes not yet. */
  reread(): void;
  /**
   * Takes (or takes back) the leadership of this store. Rejects when it can't be written. Either way every earlier write
   * has been done or has failed by then, so what is read afterwards stays true until `resume`.
   */
  lead(): Promise<void>;
  /** Memory is as the store is, and this master leads: writes are taken again. */
  resume(): void;
}

/** `onFault` is called once per fault. A fault with code `superseded` is final: another master leads this store. */
export function createWriter(store: Store, identity: { pid: number; startedAt: number }, onFault: (fault: SpillwayError) => void): Writer {
  let leadership = 0;
  let fault: SpillwayError | undefined = new SpillwayError("the master is starting", { code: "starting", hint: "Try again in a moment." });
  let last: Promise<void> = Promise.resolve();

  function stop(error: unknown): SpillwayError {
    if (fault !== undefined) return fault;
    fault =
      error instanceof SpillwayError
        ? error
        : new SpillwayError("the state can't be written", { code: "store-failed", hint: "See the master's log.", cause: error });
    onFault(fault);
    return fault;
  }

  async function commit(point: CrashPoint, operations: readonly Operation[]): Promise<void> {
    try {
      const result = await store.commit(point, [{ key: leaderKey, revision: leadership }], operations);
      if (!result.committed) throw superseded();
    } catch (error) {
      if (error instanceof RangeError) throw tooLarge(error);
      throw stop(error);
    }
  }

  return {
    write(point, operations) {
      if (fault !== undefined) return Promise.reject(fault);
      const before = last;
      const written = commit(point, operations);
      last = written.catch((error: unknown) => {
        if (error === fault) throw error;
        return before;
      });
      // Whoever awaits `settled` or the write sees the fault; a write nobody awaits must not end the process.
      written.catch(() => {});
      last.catch(() => {});
      return written;
    },

    async settled() {
      await last;
    },

    fault: () => fault,

    reread() {
      last = Promise.resolve();
    },

    async lead() {
      const present = await store.get(leaderKey);
      if (leadership !== 0 && (present?.revision ?? 0) !== leadership) throw superseded();
      const result = await store.commit(
        "store.commit.meta",
        [{ key: leaderKey, revision: present?.revision ?? 0 }],
        [{ put: { key: leaderKey, value: identity } }],
      );
      if (!result.committed) throw superseded();
      leadership = result.revision;
    },

    resume() {
      fault = undefined;
      last = Promise.resolve();
    },
  };
}

function tooLarge(cause: RangeError): SpillwayError {
  return new SpillwayError(`the change is too large to be written down: ${cause.message}`, {
    code: "too-large",
    hint: "Make it smaller; nothing of it was kept.",
    cause,
  });
}

function superseded(): SpillwayError {
  return new SpillwayError("another master has taken over this state directory", {
    code: "superseded",
    hint: "Only one master may use a state directory; stop the other one.",
  });
}
