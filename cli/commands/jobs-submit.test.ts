import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { JobDetail } from "../../agent/contract/workload.ts";
import { aView } from "../testing/bursts.ts";
import { commandBench } from "../testing/command-bench.ts";
import { aJob, send, viewOf } from "../testing/fake-master.ts";
import { anAttempt, jobWith, nameIn } from "../testing/one-job.ts";

const bench = commandBench();

const node = (name: string) => ({
  name,
  state: "ready",
  stateReason: "",
  stateSince: 0,
  declaration: { pool: "laptop", provider: "local", providerId: name },
  capacity: { cpu: 2000, memory: 4096, disk: 0, gpus: [] },
  used: { cpu: 0, memory: 0, disk: 0, gpus: [] },
  tasks: 0,
});

const detail = (id: string): JobDetail => jobWith("succeeded", anAttempt({ node: id.endsWith("1") ? "m1" : "m2" }), id);

describe("jobs submit --trace", () => {
  test("prints the conversion, runs each job once, and adds up what ran where", async () => {
    const trace = join(bench.state, "two.tsv");
    writeFileSync(trace, "job0\t0\t0\t100\t0\t5\njob1\t9\t9\t99999999\t5\t5\n");
    const submitted: string[] = [];
    bench.master.answer(({ method, path, body }, response) => {
      if (path === "/v1/nodes") return { nodes: [node("m1"), node("m2")] };
      if (path === "/v1/bursts") return aView();
      if (method === "GET" && path === "/v1/jobs") return { jobs: submitted.map((id) => viewOf(detail(id))) };
      if (method === "GET") return detail(path.split("/")[3] ?? "");
      const name = nameIn(body);
      submitted.push(name);
      return send(response, 201, viewOf(aJob({ id: name, state: "pending" })));
    });
    const { code, stdout } = await bench.run("jobs", "submit", "--trace", trace, "--time-scale", "0.1");
    expect(code).toBe(0);
    expect(submitted.toSorted()).toEqual(["two-0001", "two-0002"]);
    for (const part of [
      "duration  = (50 ms",
      "× 0.1",
      "cost      $0.00: own machines without a price; bursts, at most $",
      "submitted 2 jobs",
      "2 of 2 jobs succeeded",
      "exactly one recorded success",
    ])
      expect(stdout).toContain(part);
    expect(stdout).toMatch(/m1 +1 +50 %/);
  });

  test("a malformed line is told before anything is submitted", async () => {
    const trace = join(bench.state, "bad.tsv");
    writeFileSync(trace, "job0\t0\t0\t100\t0\t5\njob1\toops\n");
    bench.master.answer(() => expect.unreachable());
    const before = bench.master.requests.length;
    const { code, stderr } = await bench.run("jobs", "submit", "--trace", trace);
    expect(code).toBe(1);
    expect(stderr).toContain(`${trace}:2: malformed trace line`);
    expect(bench.master.requests.length).toBe(before);
  });
});
