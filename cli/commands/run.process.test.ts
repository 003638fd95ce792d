import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { commandBench } from "../testing/command-bench.ts";
import { aJob, logLineOf, sendError, viewOf } from "../testing/fake-master.ts";
import { anAttempt, jobWith, oneJob } from "../testing/one-job.ts";

const bench = commandBench();

describe("run", () => {
  test("prints what the task prints, byte for byte, and ends with its code", async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    const log = [
      { channel: "stdout", data: bytes.toString("base64") },
      logLineOf("stdout", "hi\n"),
      logLineOf("stderr", "oh\n"),
      { end: true },
    ];
    bench.master.answer(oneJob((id) => jobWith("failed", anAttempt({ state: "failed", exitCode: 3 }), id), log));
    const { code, bytes: printed, stderr } = await bench.start(["run", "--cpu", "1", "--", "sh", "-c", "echo hi; exit 3"]).ended;
    expect(code).toBe(3);
    expect(printed).toEqual(Buffer.concat([bytes, Buffer.from("hi\n")]));
    expect(stderr).toContain("oh\n");
    const submitted = bench.master.requests.findLast((request) => request.method === "POST");
    expect(submitted?.body).toMatchObject({
      name: expect.stringMatching(/^sh-[0-9a-f]{6}$/),
      command: ["sh", "-c", "echo hi; exit 3"],
      resources: { cpu: 1000, memory: 256 },
    });
  });

  test("options after the command belong to the command", async () => {
    bench.master.answer(oneJob((id) => jobWith("succeeded", anAttempt({ exitCode: 0 }), id), [{ end: true }]));
    const { code } = await bench.run("run", "-e", "A=b=c", "ls", "--env", "x", "-o", "json", "--", "--cpu");
    expect(code).toBe(0);
    const submitted = bench.master.requests.findLast((request) => request.method === "POST");
    expect(submitted?.body).toMatchObject({ env: { A: "b=c" } });
    expect(submitted?.body).toMatchObject({ command: expect.arrayContaining(["ls", "--env", "x", "-o", "json", "--cpu"]) });
  });

  test("says within moments what it waits for, and why it is pending", async () => {
    bench.master.answer(
      oneJob((id) =>
        aJob({ id, state: "pending", indexes: [{ index: 0, state: "pending", pendingReason: "2 cpu are free, 4 wanted", attempts: [] }] }),
      ),
    );
    const { child, ended } = bench.start(["run", "--", "true"]);
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += String(chunk);
    });
    await expect.poll(() => said, { timeout: 5_000 }).toContain("waiting for a node");
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 143, stderr: expect.stringContaining("goes on without you") });
  });

  test("SIGINT without a terminal cancels the job and waits for its end", async () => {
    let cancelled = false;
    bench.master.answer(
      oneJob(
        (id) =>
          cancelled ? jobWith("cancelled", anAttempt({ state: "cancelled" }), id) : jobWith("running", anAttempt({ state: "running" }), id),
        [logLineOf("stdout", "working\n"), { end: true }],
        ({ path }) => {
          if (!path.endsWith("/cancel")) return undefined;
          cancelled = true;
          return viewOf(aJob({ state: "running" }));
        },
      ),
    );
    const { child, ended } = bench.start(["run", "--", "sleep", "100"]);
    await once(child.stdout, "data");
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ code: 130, stderr: expect.stringContaining("is cancelled") });
  });

  test("a job that can never fit is refused with the master's sentence", async () => {
    bench.master.answer((_, response) => sendError(response, 422, "never-fits", "no node has 64 cpu", "The biggest has 2."));
    const { code, stderr } = await bench.run("run", "--cpu", "64", "--", "true");
    expect(code).toBe(125);
    expect(stderr).toBe("no node has 64 cpu\n  The biggest has 2.\n");
  });

  test("--detach prints the job's name and nothing else", async () => {
    bench.master.answer(oneJob((id) => aJob({ id, state: "pending" })));
    expect(await bench.run("run", "--detach", "--name", "later", "--", "true")).toEqual({ code: 0, stdout: "later\n", stderr: "" });
  });

  test("a master that restarts is waited for", async () => {
    bench.master.answer(oneJob((id) => jobWith("succeeded", anAttempt({ exitCode: 0 }), id), [{ end: true }]));
    await bench.master.stop();
    const { child, ended } = bench.start(["run", "--", "true"]);
    await new Promise<void>((told) => child.stderr.on("data", (chunk) => String(chunk).includes("trying again") && told()));
    await bench.master.start();
    expect(await ended).toMatchObject({ code: 0, stderr: expect.stringContaining("The master answers again.") });
  });
});
