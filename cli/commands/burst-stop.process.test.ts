import { describe, expect, test } from "vitest";
import { aNodeView, aRow } from "../testing/bursts.ts";
import { commandBench } from "../testing/command-bench.ts";

const bench = commandBench();

describe("Ctrl-C while something ends", () => {
  test("stops the waiting for a burst, and says that it goes on", async () => {
    bench.master.answer(({ path }) => (path === "/v1/nodes" ? { nodes: [] } : aRow({ state: "draining", why: "stopped" })));
    const { child, ended } = bench.start(["burst", "stop", "b-tm4k2c"]);
    await expect.poll(() => bench.master.requests.some(({ path }) => path === "/v1/nodes")).toBe(true);
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ code: 130, stdout: "", stderr: expect.stringContaining("goes on being stopped without you") });
  });

  test("stops the waiting for a drain, and says how to end that", async () => {
    bench.master.answer(() => aNodeView({ scheduling: "draining", tasks: 2, drainDeadline: Date.now() + 60_000 }));
    const { child, ended } = bench.start(["nodes", "drain", "rack-17"]);
    await expect
      .poll(() => bench.master.requests.some(({ method, path }) => method === "GET" && path === "/v1/nodes/rack-17"), { timeout: 5000 })
      .toBe(true);
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 143, stderr: expect.stringContaining("spillway nodes uncordon rack-17") });
  });
});
