import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DeadManWatch, endMachine, watchDeadMan } from "./dead-man-watch.ts";
import { createLog } from "./log.ts";

const silenceMs = 600_000;
let stateDir: string;
let told: string;
let reasons: string[];
let wall: number;
let monotonic: number;
const watches: DeadManWatch[] = [];

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "spillway-dead-man-"));
  told = "";
  reasons = [];
  wall = Date.UTC(2026, 2, 10, 12);
  monotonic = 5000;
});
afterEach(async () => {
  // What they still write has to be there before the directory goes.
  for (const watch of watches.splice(0)) await watch.keep();
  rmSync(stateDir, { recursive: true, force: true });
});

function anAgent(): DeadManWatch {
  const log = createLog("node/m1", (line) => {
    told += line;
  });
  const time = { wall: () => wall, monotonic: () => monotonic };
  const watch = watchDeadMan({ deadMan: { silenceMs, end: [] }, stateDir, log, onForsaken: (reason) => reasons.push(reason), time });
  watches.push(watch);
  return watch;
}

/** Lets time pass in an agent that runs. */
function run(watch: DeadManWatch, ms: number): void {
  for (let passed = 0; passed < ms; passed += watch.tickMs) {
    wall += watch.tickMs;
    monotonic += watch.tickMs;
    watch.tick();
  }
}

describe("the dead-man timer", () => {
  test("fires once when no master welcomes the node for the whole time, and says so", () => {
    const watch = anAgent();
    run(watch, silenceMs - 1000);
    expect(reasons).toEqual([]);
    run(watch, 2000);
    expect(reasons).toEqual([expect.stringContaining("no master has welcomed this node for 10 min")]);
    run(watch, silenceMs);
    expect(reasons).toHaveLength(1);
  });

  test("each contact begins the time anew", () => {
    const watch = anAgent();
    for (let round = 0; round < 5; round += 1) {
      run(watch, silenceMs - 1000);
      watch.contact();
    }
    expect(reasons).toEqual([]);
  });

  test("restarts of the agent do not begin it anew", async () => {
    const first = anAgent();
    run(first, silenceMs * 0.6);
    await first.keep();
    wall += silenceMs * 0.1;
    const second = anAgent();
    expect(told).toContain("no master has welcomed this node for 7");
    run(second, silenceMs * 0.2);
    expect(reasons).toEqual([]);
    run(second, silenceMs * 0.1);
    expect(reasons).toHaveLength(1);
    await second.keep();
  });

  test("a welcome after a long silence is on the disk at once", async () => {
    const first = anAgent();
    run(first, silenceMs - 1000);
    await first.keep();
    first.contact();
    await expect.poll(() => JSON.parse(readFileSync(join(stateDir, "dead-man.json"), "utf8")).silentMs).toBe(0);
  });

  test("a wall clock that jumps while the agent runs changes nothing", () => {
    const watch = anAgent();
    wall += 365 * 86_400_000;
    run(watch, silenceMs / 2);
    wall -= 3650 * 86_400_000;
    run(watch, silenceMs / 2 - 1000);
    expect(reasons).toEqual([]);
    run(watch, 2000);
    expect(reasons).toHaveLength(1);
  });

  test("an agent that was stopped for long leaves its master time to be heard", () => {
    const watch = anAgent();
    monotonic += 10 * silenceMs;
    watch.tick();
    run(watch, 10_000);
    expect(reasons).toEqual([]);
    watch.contact();
    run(watch, silenceMs - 1000);
    expect(reasons).toEqual([]);
  });

  test("a kept time that can't be read is told, and the silence counts from now on", () => {
    writeFileSync(join(stateDir, "dead-man.json"), "{");
    const watch = anAgent();
    expect(told).toContain("can't be read");
    run(watch, silenceMs - 1000);
    expect(reasons).toEqual([]);
  });
});

describe("ending the machine", () => {
  test("runs the command, and an own host has none", async () => {
    const mark = join(stateDir, "ended");
    await endMachine({ silenceMs, end: ["touch", mark] });
    expect(existsSync(mark)).toBe(true);
    await endMachine({ silenceMs, end: [] });
  });

  test("a command that fails or is not there is an error with the next step", async () => {
    await expect(endMachine({ silenceMs, end: ["false"] })).rejects.toMatchObject({
      code: "end-failed",
      message: expect.stringContaining("with 1"),
    });
    await expect(endMachine({ silenceMs, end: ["/no/such/command"] })).rejects.toMatchObject({
      code: "end-failed",
      hint: expect.stringContaining("fsck"),
    });
  });
});
