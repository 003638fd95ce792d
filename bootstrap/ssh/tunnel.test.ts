import { expect, it } from "vitest";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Clock } from "./reconnecting.ts";
import { keepTunnel, lossOf, type Tunnel, type TunnelState } from "./tunnel.ts";
import type { TunnelLine } from "./tunnel-line.ts";

type Answer = "held" | "taken" | Error;

/** A line whose server answers as it is told, and which breaks when it is told to. */
function aLine(...answers: Answer[]): TunnelLine & { break(): void; closed: boolean } {
  const end = Promise.withResolvers<void>();
  return {
    closed: false,
    async listen() {
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer instanceof Error) throw answer;
      return answer ?? "held";
    },
    ended: end.promise,
    close() {
      this.closed = true;
      end.resolve();
    },
    break: () => end.resolve(),
  };
}

interface Bench {
  readonly tunnel: Tunnel;
  readonly told: TunnelState["kind"][];
  readonly pauses: number[];
  /** Lets the time of the pause that is under way pass. */
  pass(): Promise<void>;
  /** Time goes by while a line is open. */
  wait(ms: number): void;
}

/** Each attempt takes the next of `lines`; the last one stays. */
async function aBench(...lines: (TunnelLine | Error)[]): Promise<Bench> {
  const pauses: number[] = [];
  const told: TunnelState["kind"][] = [];
  let now = 0;
  let passed: (() => void) | undefined;
  const clock: Clock = {
    now: () => now,
    pause(ms) {
      pauses.push(ms);
      return new Promise((resolve) => {
        passed = () => {
          now += ms;
          resolve();
        };
      });
    },
    random: () => 1,
  };
  const connect = async () => {
    const next = lines.length > 1 ? lines.shift() : lines[0];
    if (next instanceof Error) throw next;
    if (next === undefined) throw new Error("the test has no line for this");
    return next;
  };
  const tunnel = keepTunnel({ connect, onState: ({ kind }) => told.push(kind), clock });
  await settled();
  return {
    tunnel,
    told,
    pauses,
    wait: (ms) => {
      now += ms;
    },
    async pass() {
      const go = passed;
      if (go === undefined) throw new Error("nobody pauses");
      passed = undefined;
      go();
      await settled();
    },
  };
}

/** Everything that needs no time has happened. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

const refused = new SpillwayError("it does not answer over SSH: refused", { code: "ssh-unreachable", where: "machine m1" });

it("is tried again for ever, ever more slowly up to ten seconds, and told once", async () => {
  const bench = await aBench(refused);
  for (let tries = 0; tries < 12; tries++) await bench.pass();
  expect(bench.pauses.slice(0, 8)).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  expect(bench.told).toEqual(["lost"]);
  expect(lossOf(bench.tunnel.state())).toContain("machine m1: it does not answer over SSH");
});

it("comes back soon when a line broke that had held for a while, and more slowly when one does not hold", async () => {
  const [steady, short, last] = [aLine(), aLine(), aLine()];
  const bench = await aBench(steady, short, last);
  bench.wait(60_000);
  steady.break();
  await settled();
  await bench.pass();
  short.break();
  await settled();
  expect(bench.pauses).toEqual([250, 500]);
  await bench.pass();
  expect(bench.told).toEqual(["open", "lost", "open", "lost", "open"]);
  expect([steady.closed, short.closed, last.closed]).toEqual([true, true, false]);
});

it("leaves a port that somebody else has to it, asks every second over the same connection, and takes it then", async () => {
  const bench = await aBench(aLine("taken", "taken", "held"));
  expect(bench.told).toEqual(["elsewhere"]);
  await bench.pass();
  await bench.pass();
  expect(bench.pauses).toEqual([1000, 1000]);
  expect(bench.told).toEqual(["elsewhere", "open"]);
});

it("counts as lost when the port stays another's for longer than a machine takes to become a node", async () => {
  const bench = await aBench(aLine("taken"));
  for (let tries = 0; tries < 15 * 60; tries++) await bench.pass();
  expect(bench.told).toEqual(["elsewhere", "lost"]);
  expect(lossOf(bench.tunnel.state())).toContain("another program there listens");
});

it("closes a line whose server forbids it, and says why", async () => {
  const line = aLine(new SpillwayError("its SSH server refuses", { code: "forwarding-refused" }));
  const bench = await aBench(line);
  expect(bench.tunnel.state()).toMatchObject({ kind: "lost", error: { code: "forwarding-refused" } });
  expect(line.closed).toBe(true);
});

it("tells nothing more once it is closed, and gives back its line", async () => {
  const line = aLine();
  const bench = await aBench(line);
  bench.tunnel.close();
  await settled();
  expect(line.closed).toBe(true);
  expect(bench.told).toEqual(["open"]);
  expect(bench.pauses).toEqual([]);
});
