import { expect, test } from "vitest";
import { commandBench } from "../testing/command-bench.ts";
import { aJob, sendError } from "../testing/fake-master.ts";

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
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('no job and no node "nothing"') });
});
