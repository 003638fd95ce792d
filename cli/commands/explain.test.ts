import { expect, test } from "vitest";
import { aRow } from "../testing/bursts.ts";
import { commandBench } from "../testing/command-bench.ts";
import { aJob, sendError } from "../testing/fake-master.ts";
import { explanationText } from "./explain.ts";

const bench = commandBench();

test("a bare name is explained as what it is", async () => {
  bench.master.answer(({ path, query }, response) => {
    if (path === "/v1/nodes") return { nodes: [] };
    if (path === "/v1/jobs/train") return aJob({ id: "train", state: "pending" });
    if (path.startsWith("/v1/jobs/")) return sendError(response, 404, "not-found", "no");
    return { subject: query.get("subject"), summary: "it waits", rejected: [{ reason: "too little memory", nodes: ["m1"] }], events: [] };
  });
  const found = await bench.run("explain", "train");
  expect(found.stdout).toContain("it waits");
  expect(found.stdout).toContain("too little memory");
  const missing = await bench.run("explain", "nothing");
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('no job, no node and no burst "nothing"') });
});

test("a burst is explained by its id, alone or with its stack's name before it", async () => {
  bench.master.answer(({ path, query }, response) => {
    if (path === "/v1/nodes") return { nodes: [] };
    if (path === "/v1/bursts/b-tm4k2c") return aRow();
    if (path === "/v1/explain")
      return { subject: query.get("subject"), summary: `about ${query.get("subject")}`, rejected: [], events: [] };
    return sendError(response, 404, "not-found", "no");
  });
  for (const subject of ["b-tm4k2c", "burst-b-tm4k2c", "burst/b-tm4k2c"])
    expect((await bench.run("explain", subject)).stdout).toContain("about burst/b-tm4k2c");
});

test("a job that waits is told whether something is bought for it, and which offers were looked at", () => {
  const candidates = [
    { offer: "aws/x", burstPool: "aws", hourly: 0.2, chosen: false, rejected: "twice as dear" },
    { offer: "local/small", burstPool: "overflow", hourly: 0.1, chosen: true },
  ];
  const burst = { job: "train", tasks: 1, outcome: "refused" as const, bursts: [], reason: "the budget is used up", candidates };
  const text = explanationText({ subject: "job/train", summary: "it waits", rejected: [], burst, events: [] });
  expect(text).toContain("bursting  not bought: the budget is used up");
  expect(text).toMatch(/chosen {2}local\/small/);
  expect(text).toMatch(/not {5}aws\/x .*twice as dear/);
});
