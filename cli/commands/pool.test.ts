import { describe, expect, test } from "vitest";
import { commandBench } from "../testing/command-bench.ts";

const bench = commandBench();

const resources = (cpu: number, memory: number) => ({ cpu, memory, disk: 0, gpus: [] });

describe("pool", () => {
  const total = {
    nodes: 3,
    nodesByState: { ready: 2, lost: 1 },
    capacity: resources(6000, 12_288),
    used: resources(1500, 1024),
    hourly: 0,
  };
  const view = {
    environment: "local",
    environmentId: "id-1",
    closing: false,
    rows: [{ pool: "laptop", where: "local", ...total }],
    total,
    jobs: { pending: 1, running: 2, finished: 0 },
    pendingTasks: 1,
  };

  test("the pool is one table, with what waits", async () => {
    bench.master.answer(() => view);
    const { code, stdout } = await bench.run("pool");
    expect(code).toBe(0);
    expect(stdout).toContain("laptop (local)");
    expect(stdout).toContain("1.5 / 6");
    expect(stdout).toContain("3 (1 lost)");
    expect(stdout).toContain("1 task waiting for room");
    expect(bench.master.requests.at(-1)?.token).toBe("very-secret");
  });

  test("bursts are counted by what they do, with what they cost", async () => {
    const bursts = { launching: 1, live: 2, draining: 0, retiring: 0, leaked: 1, hourly: 0.4 };
    bench.master.answer(() => ({ ...view, bursts }));
    const { stdout } = await bench.run("pool");
    expect(stdout).toContain("bursts: 1 launching, 2 live, 1 leaked · $0.40/h (what is leaked: spillway fsck --fix)");
  });

  test("a master that is away is told with what mends it", async () => {
    await bench.master.stop();
    const { code, stderr } = await bench.run("pool");
    await bench.master.start();
    expect(code).toBe(1);
    expect(stderr).toContain("`./spillway up local` mends it.");
  });

  test("JSON stands on stdout alone", async () => {
    bench.master.answer(() => view);
    expect(JSON.parse((await bench.run("pool", "--output", "json")).stdout)).toEqual(view);
    expect(JSON.parse((await bench.run("--output", "json", "pool")).stdout)).toEqual(view);
  });
});
