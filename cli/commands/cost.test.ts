import { describe, expect, test } from "vitest";
import { aNodeView, aRow, aView } from "../testing/bursts.ts";
import { commandBench } from "../testing/command-bench.ts";

const bench = commandBench();
const hourMs = 3_600_000;

test("cost tells the budget, this month's bursts by offer, one's own nodes, and what leaks", async () => {
  const now = Date.now();
  const view = aView();
  const rows = [
    aRow(),
    aRow({ id: "b-2", state: "gone", at: { launching: now - 3 * hourMs, gone: now - hourMs } }),
    aRow({ id: "b-3", state: "gone", at: { launching: now - 100 * hourMs, gone: now - 90 * hourMs } }),
    aRow({ id: "b-4", state: "gone", at: { intent: now, gone: now } }),
    aRow({
      id: "b-5",
      state: "leaked",
      offer: "aws/x",
      provider: "aws",
      burstPool: "aws",
      hourly: 1,
      at: { launching: now - hourMs, leaked: now - hourMs / 2 },
    }),
  ];
  const budget = { ...view.budget, leaked: { bursts: ["b-5"], hourly: 1, spent: 0.5 } };
  const burstNode = aNodeView({ name: "b-1-1", declaration: { ...aNodeView().declaration, burst: "b-1" } });
  bench.master.answer(({ path }) =>
    path === "/v1/nodes" ? { nodes: [aNodeView(), aNodeView({ name: "rack-18" }), burstNode] } : { ...view, rows, budget },
  );
  const { code, stdout } = await bench.run("cost");
  expect(code).toBe(0);
  expect(stdout).toMatch(/today +\$4\.10 +\$4\.20 +\$5\.00 +84 %/);
  expect(stdout).toMatch(/this month +\$7\.50 +\$7\.60 +none +–/);
  expect(stdout).toMatch(/overflow +local\/small +2 +2 +\$0\.10 +\$0\.30 +pretend prices/);
  expect(stdout).toMatch(/aws +aws\/x +1 +1 +\$0\.50\n/);
  expect(stdout).toMatch(/rack +2 +\$0\.18/);
  expect(stdout).toContain("leaked    b-5: $1.00/h, $0.50 so far, beyond the budget");
  const json = JSON.parse((await bench.run("cost", "-o", "json")).stdout);
  expect(json.bursts).toMatchObject([
    { offer: "aws/x", pretend: false },
    { offer: "local/small", bursts: 2, pretend: true },
  ]);
});

test("where no burst has cost anything, that is said", async () => {
  bench.master.answer(({ path }) => (path === "/v1/nodes" ? { nodes: [] } : aView()));
  expect((await bench.run("cost")).stdout).toContain("No burst has cost anything this month.");
});

describe("cost --by", () => {
  const answer = () => {
    const now = Date.now();
    const rows = [aRow({ hourly: 0.5, at: { launching: now - 1000 } })];
    const node = aNodeView({ declaredAt: 0 });
    bench.master.answer(({ path }) => (path === "/v1/nodes" ? { nodes: [node, aNodeView({ name: "rack-18" })] } : aView({ rows })));
  };

  test("day shows each day of the month up to today, and says that it is estimated", async () => {
    answer();
    const { stdout } = await bench.run("cost", "local", "--by", "day");
    const today = new Date().toISOString().slice(0, 10);
    expect(stdout).toMatch(/^day +node pools +bursts +in all\n/);
    expect(stdout).toContain(`${today.slice(0, 8)}01`);
    expect(stdout).toContain(`\n${today} `);
    expect(stdout).toContain("estimated: price × time, this month in UTC");
    expect(stdout).toContain("not counted, since they have no price or no age: 1 node (rack-18)");
  });

  test("pool shows node pools and burst pools", async () => {
    answer();
    const { stdout } = await bench.run("cost", "--by", "pool");
    expect(stdout).toMatch(/rack +node pool +2 +\$0\.18 +\$/);
    expect(stdout).toMatch(/overflow +burst pool +1 +\$0\.50 +\$0\.000\d+ +pretend prices/);
  });

  test("burst shows each burst with its hours", async () => {
    answer();
    expect((await bench.run("cost", "--by", "burst")).stdout).toMatch(/b-tm4k2c +live +local\/small +1 +\$0\.50 +0\.0 +\$0\.000/);
    bench.master.answer(({ path }) => (path === "/v1/nodes" ? { nodes: [] } : aView()));
    expect((await bench.run("cost", "--by", "burst")).stdout).toContain("No burst has cost anything this month.");
  });

  test("gives a program all of it at once", async () => {
    answer();
    const estimate = JSON.parse((await bench.run("cost", "--by", "day", "-o", "json")).stdout);
    expect(estimate).toMatchObject({ estimated: true, zone: "UTC", uncounted: ["rack-18"] });
    expect(Object.keys(estimate)).toEqual(["estimated", "zone", "since", "days", "pools", "bursts", "uncounted"]);
  });
});
