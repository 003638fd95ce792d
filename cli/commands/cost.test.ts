import { expect, test } from "vitest";
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
