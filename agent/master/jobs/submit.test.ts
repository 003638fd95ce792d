import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { jobList } from "../../contract/api.ts";
import { jobDetail, jobView } from "../../contract/workload.ts";
import { aJob, type TestMaster, testMaster } from "../testing/test-master.ts";

describe("submitting jobs", () => {
  let master: TestMaster;
  beforeEach(async () => {
    master = await testMaster();
  });
  afterEach(() => master.end());

  const submit = (fields: Record<string, unknown> = {}) => master.call("POST", "/v1/jobs", { body: aJob(fields) });

  test("a job gets a made-up name and waits with a reason", async () => {
    await master.declare("m1");
    const answer = await submit();
    expect(answer.status).toBe(201);
    const job = jobView.parse(answer.body);
    expect(job.id).toMatch(/^job-[a-z0-9]{5}$/);
    const detail = jobDetail.parse((await master.call("GET", `/v1/jobs/${job.id}`)).body);
    expect(detail).toMatchObject({ state: "pending", counts: { pending: 1 } });
    expect(detail.reason).toContain("1 node joining");
    expect(detail.indexes[0]?.pendingReason).toBe(detail.reason);
  });

  test("the same name with the same spec is the same job, also after a restart; with another it is refused", async () => {
    expect((await submit({ name: "train", env: { B: "2", A: "1" } })).status).toBe(201);
    expect((await submit({ env: { A: "1", B: "2" }, name: "train", priority: 50 })).status).toBe(200);
    await master.restart();
    expect((await submit({ name: "train", env: { A: "1", B: "2" } })).status).toBe(200);
    expect(await submit({ name: "train", env: { A: "2" } })).toMatchObject({ status: 409, body: { error: { code: "job-exists" } } });
    expect(jobList.parse((await master.call("GET", "/v1/jobs")).body).jobs).toHaveLength(1);
  });

  test("a job no node could ever fit is refused with the biggest nodes' capacity; one that has to wait is not", async () => {
    await master.declare("m1");
    await master.declare("m2", { capacity: { cpu: 2000, memory: 16_384, disk: 0, gpus: [] } });
    const answer = await submit({ resources: { cpu: 8000, memory: 65_536 } });
    expect(answer).toMatchObject({ status: 422, body: { error: { code: "never-fits" } } });
    expect(answer.body.error.message).toContain("needs 8 cpu, 64 GiB memory; the biggest have 4 cpu (m1), 16 GiB memory (m2)");
    expect((await submit({ resources: { cpu: 4000, memory: 16_384 } })).status).toBe(422);
    expect((await submit({ resources: { cpu: 1, memory: 1, gpus: [{ model: "a100", count: 1 }] } })).body.error.message).toContain(
      "1 gpu a100",
    );
    expect((await submit({ count: 100, resources: { cpu: 4000, memory: 8192 } })).status).toBe(201);
  });

  test("GPUs of one model that are listed twice are counted together", async () => {
    await master.declare("m1", { capacity: { cpu: 4000, memory: 8192, disk: 0, gpus: [{ model: "a100", count: 1 }] } });
    const twice = [
      { model: "a100", count: 1 },
      { model: "a100", count: 1 },
    ];
    expect((await submit({ resources: { cpu: 1, memory: 1, gpus: twice } })).status).toBe(422);
  });

  test("while a node's size is unknown a big job waits", async () => {
    await master.call("PUT", "/v1/nodes/m1", { body: { pool: "rack", provider: "ssh", providerId: "x" } });
    expect((await submit({ resources: { cpu: 64_000, memory: 1 } })).status).toBe(201);
  });

  test("an unknown node pool is refused, with those there are", async () => {
    await master.declare("m1");
    const answer = await submit({ nodePool: "rak" });
    expect(answer).toMatchObject({ status: 422, body: { error: { code: "unknown-node-pool", hint: "There are: rack." } } });
    expect((await submit({ nodePool: "rack" })).status).toBe(201);
  });

  test("a spec that is wrong is refused with the field's path", async () => {
    const answer = await submit({ prioritty: 5, resources: { cpu: -1, memory: 1 } });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: "invalid-request" } } });
    expect(answer.body.error.message).toContain("resources.cpu");
    expect(answer.body.error.message).toContain("prioritty");
    expect((await master.call("POST", "/v1/jobs", { body: "{" })).status).toBe(400);
    expect((await master.call("POST", "/v1/jobs", { body: "{}", headers: { "content-type": "text/plain" } })).status).toBe(415);
  });

  test("a job that is too large for its record is refused", async () => {
    expect(await submit({ command: ["x".repeat(300_000)] })).toMatchObject({ status: 413, body: { error: { code: "job-too-large" } } });
    expect(await submit({ command: ["x".repeat(1_100_000)] })).toMatchObject({ status: 413, body: { error: { code: "too-large" } } });
  });

  test("its record must have room for its end, and a task needs something", async () => {
    expect(await submit({ command: ["x".repeat(256 * 1024 - 3000)] })).toMatchObject({ status: 413 });
    expect((await submit({ resources: { cpu: 0, memory: 1 } })).body.error.message).toContain("resources.cpu");
    expect((await submit({ resources: { cpu: 1, memory: 0 } })).status).toBe(400);
  });

  test("the values of a job's environment are not in the list", async () => {
    await submit({ name: "train", env: { TOKEN: "secret" } });
    const list = await master.call("GET", "/v1/jobs");
    expect(JSON.stringify(list.body)).not.toContain("secret");
    expect(jobList.parse(list.body).jobs[0]?.spec.env).toEqual({ TOKEN: "(not shown)" });
    expect((await master.call("GET", "/v1/jobs/train")).body.spec.env).toEqual({ TOKEN: "secret" });
  });

  test("jobs are listed by state, and what is not there is not found", async () => {
    await submit({ name: "waits" });
    await submit({ name: "gone" });
    await master.call("POST", "/v1/jobs/gone/cancel");
    const list = async (state: string) =>
      (await master.call("GET", `/v1/jobs?state=${state}`)).body.jobs.map(({ id }: { id: string }) => id);
    expect(await list("pending")).toEqual(["waits"]);
    expect(await list("cancelled")).toEqual(["gone"]);
    expect((await master.call("GET", "/v1/jobs?state=odd")).status).toBe(400);
    expect((await master.call("GET", "/v1/jobs/none")).status).toBe(404);
    expect((await master.call("POST", "/v1/jobs/none/cancel")).status).toBe(404);
  });
});
