import { describe, expect, test } from "vitest";
import { aNodeView } from "../testing/bursts.ts";
import { commandBench } from "../testing/command-bench.ts";
import { sendError } from "../testing/fake-master.ts";

const bench = commandBench();

describe("nodes cordon and uncordon", () => {
  test("say what each node does now", async () => {
    bench.master.answer(({ path }) =>
      path.endsWith("/uncordon")
        ? aNodeView({ name: path.split("/")[3] ?? "" })
        : aNodeView({
            name: path.split("/")[3] ?? "",
            scheduling: "cordoned",
            schedulingReason: "cordoned by the operator: new disk",
            tasks: 2,
          }),
    );
    const { code, stdout } = await bench.run("nodes", "cordon", "rack-17", "rack-18", "--reason", "new disk");
    expect(code).toBe(0);
    expect(stdout).toBe(
      "rack-17  cordoned  2 tasks  cordoned by the operator: new disk\nrack-18  cordoned  2 tasks  cordoned by the operator: new disk\n",
    );
    expect(bench.master.requests.at(-1)).toMatchObject({ path: "/v1/nodes/rack-18/cordon", body: { reason: "new disk" } });
    expect((await bench.run("nodes", "uncordon", "rack-17")).stdout).toBe("rack-17  open  0 tasks  takes tasks\n");
  });
});

describe("nodes drain", () => {
  const draining = aNodeView({
    scheduling: "draining",
    schedulingReason: "drained by the operator: kernel",
    tasks: 1,
    drainDeadline: Date.now() + 60_000,
  });
  const drained = aNodeView({ scheduling: "drained", schedulingReason: "drained by the operator: kernel" });

  test("waits until the node is empty, and says how it takes tasks again", async () => {
    bench.master.answer(({ method }) => (method === "POST" ? draining : drained));
    const { code, stdout, stderr } = await bench.run("nodes", "drain", "rack-17", "--deadline", "90s", "--reason", "kernel");
    expect(code).toBe(0);
    expect(bench.master.requests.find(({ path }) => path.endsWith("/drain"))).toMatchObject({
      path: "/v1/nodes/rack-17/drain",
      body: { reason: "kernel", deadlineMs: 90_000 },
    });
    expect(stderr).toContain("rack-17  draining  1 task  drained by the operator: kernel");
    expect(stdout).toContain("rack-17  drained  0 tasks");
    expect(stdout).toContain("spillway nodes uncordon rack-17");
  });

  test("a node of a burst that is taken away meanwhile is drained", async () => {
    bench.master.answer(({ method }, response) => (method === "POST" ? draining : sendError(response, 404, "not-found", "no")));
    const { code, stdout } = await bench.run("nodes", "drain", "rack-17");
    expect(code).toBe(0);
    expect(stdout).toContain("it is no longer in the pool");
  });

  test("a drain that somebody else ends is told as such", async () => {
    bench.master.answer(({ method }) => (method === "POST" ? draining : aNodeView({ tasks: 1 })));
    const { code, stderr } = await bench.run("nodes", "drain", "rack-17");
    expect(code).toBe(1);
    expect(stderr).toContain("the drain of rack-17 was ended by somebody else: it is open, with 1 task");
  });

  test("--detach does not wait", async () => {
    bench.master.answer(() => draining);
    expect(JSON.parse((await bench.run("nodes", "drain", "rack-17", "--detach", "-o", "json")).stdout)).toMatchObject({
      scheduling: "draining",
    });
  });
});

test("nodes list shows who gets no tasks and why, and which burst a node belongs to", async () => {
  const burst = aNodeView({ name: "b-1-1", declaration: { ...aNodeView().declaration, pool: "overflow", burst: "b-1" } });
  const cordoned = aNodeView({ scheduling: "cordoned", schedulingReason: "cordoned by the operator: new disk" });
  bench.master.answer(() => ({ nodes: [burst, cordoned] }));
  const { stdout } = await bench.run("nodes", "list");
  expect(stdout).toMatch(/b-1-1 +ready +overflow +b-1/);
  expect(stdout).toMatch(/rack-17 +ready +cordoned +rack .*cordoned by the operator: new disk/);
});
