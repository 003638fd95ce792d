import fc from "fast-check";
import { expect, it } from "vitest";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Clock, passingCause, pauseMs, reconnecting } from "./reconnecting.ts";

function unreachable(cause: object): SpillwayError {
  return new SpillwayError("it does not answer over SSH", { code: "ssh-unreachable", cause: Object.assign(new Error("x"), cause) });
}

/** Time passes by pauses alone. */
function aClock(): Clock & { pauses: number[] } {
  const pauses: number[] = [];
  return {
    pauses,
    now: () => pauses.reduce((sum, ms) => sum + ms, 0),
    pause: async (ms) => void pauses.push(ms),
    random: () => 1,
  };
}

it("tries again what may pass, with growing pauses, and says so", async () => {
  const causes = [{ code: "ECONNREFUSED" }, { code: "HUNG_UP" }, { level: "client-timeout" }, { reason: 2 }];
  const told: string[] = [];
  const clock = aClock();
  const attempt = async () => {
    const cause = causes.shift();
    if (cause !== undefined) throw unreachable(cause);
    return "connected";
  };
  expect(await reconnecting(attempt, { forMs: 120_000, onWait: (text) => told.push(text) }, clock)).toBe("connected");
  expect(told).toEqual([
    "waiting for SSH, 2nd try, refused",
    "waiting for SSH, 3rd try, hung up before the login",
    "waiting for SSH, 4th try, no answer",
    "waiting for SSH, 5th try, not reached from its jump host",
  ]);
  expect(clock.pauses).toEqual([250, 500, 1000, 2000]);
});

it("ends before its deadline with the last error", async () => {
  const clock = aClock();
  let tries = 0;
  const attempt = async () => {
    tries += 1;
    throw unreachable({ code: "ECONNREFUSED" });
  };
  await expect(reconnecting(attempt, { forMs: 3000 }, clock)).rejects.toMatchObject({ code: "ssh-unreachable" });
  expect(clock.now()).toBeLessThanOrEqual(3000);
  expect(tries).toBe(clock.pauses.length + 1);
});

it("tries once where nobody wants to wait, and no further when it is cancelled", async () => {
  const clock = aClock();
  const attempt = async () => {
    throw unreachable({ code: "ECONNREFUSED" });
  };
  await expect(reconnecting(attempt, { forMs: 0 }, clock)).rejects.toThrow("does not answer");
  expect(clock.pauses).toEqual([]);
  await expect(reconnecting(attempt, { forMs: 60_000, signal: AbortSignal.abort() }, clock)).rejects.toThrow("does not answer");
  expect(clock.pauses).toHaveLength(1);
});

it("takes neither a wrong key, nor a refused login, nor a name that does not exist for something that passes", () => {
  for (const code of ["host-key-mismatch", "host-key-unknown", "ssh-auth-failed", "credential-missing", "secret-missing"])
    expect(passingCause(new SpillwayError("x", { code, cause: { code: "ECONNREFUSED" } }))).toBeUndefined();
  for (const cause of [{ code: "ENOTFOUND" }, { level: "handshake" }, { reason: 1 }, { code: 2 }, {}])
    expect(passingCause(unreachable(cause))).toBeUndefined();
  expect(passingCause(new Error("x"))).toBeUndefined();
});

it("pauses between half and the whole of a step that grows up to 10 s", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.double({ min: 0, max: 1, noNaN: true }), (tries, random) => {
      const whole = Math.min(10_000, 250 * 2 ** (tries - 1));
      expect(pauseMs(tries, random)).toBeGreaterThanOrEqual(whole / 2);
      expect(pauseMs(tries, random)).toBeLessThanOrEqual(whole);
    }),
  );
});
