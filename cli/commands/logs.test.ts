import { expect, test } from "vitest";
import { commandBench } from "../testing/command-bench.ts";
import { logLineOf } from "../testing/fake-master.ts";
import { anAttempt, jobWith, oneJob } from "../testing/one-job.ts";

const bench = commandBench();

test("logs for programs are JSON lines with each piece's channel and bytes", async () => {
  bench.master.answer(
    oneJob((id) => jobWith("succeeded", anAttempt(), id), [logLineOf("stdout", "hi\n"), logLineOf("stderr", "oh\n"), { end: true }]),
  );
  const { stdout, stderr } = await bench.run("logs", "j1", "--output", "json");
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([logLineOf("stdout", "hi\n"), logLineOf("stderr", "oh\n")]);
  expect(stderr).toBe("");
});
