import { afterEach, beforeEach, expect, test } from "vitest";
import { explanation, ledgerLine, poolView } from "../../contract/api.ts";
import { bursterReply, burstView, burstWork } from "../../contract/burst-api.ts";
import { burstRow } from "../../contract/ledger.ts";
import { burstPlan } from "../../contract/plan.ts";
import { anOffer, aPolicy } from "../burst/testing/builders.ts";
import { connectAgent, joinNode } from "../testing/fake-agent.ts";
import { aDeclaration, aJob, type TestMaster, testMaster } from "../testing/test-master.ts";
import { until } from "../testing/until.ts";

const retire = { idleForMs: 5000, minimumLifeMs: 5000, drainDeadlineMs: 60_000 };
const policy = aPolicy({ retire, rules: [{ pendingForMs: 2000, priorityAtLeast: 0, use: "cheapest", maxParallel: 4, perBurst: 1 }] });
const offer = anOffer("overflow/small", 0.1, { burstPool: "overflow", expectedSeconds: { boot: 3 } });
const burster = { holder: "here", host: "laptop", pid: 7, version: "0.3.0", offers: [offer] };

let master: TestMaster;
beforeEach(async () => {
  master = await testMaster();
  await master.declare("m1", { capacity: { cpu: 1000, memory: 1024, disk: 0, gpus: [] } });
});
afterEach(() => master.end());

const put = async (path: string, body: unknown) => (await master.call("PUT", path, { body })).body;
const post = (path: string, body: unknown = {}) => master.call("POST", path, { body });
const get = async (path: string) => (await master.call("GET", path)).body;
const heard = () => put("/v1/burst/burster", burster);
const report = (id: string, event: object, holder = "here") => post(`/v1/bursts/${id}/events`, { holder, event });
const view = async (all = false) => burstView.parse(await get(`/v1/bursts${all ? "?all=true" : ""}`));

/** The time goes on, with the burster heard, until a condition holds. */
async function goOn<T>(what: string, condition: () => Promise<T | undefined | false>): Promise<T> {
  return until(what, async () => {
    await master.clock.advance(500);
    await heard();
    return condition();
  });
}

test("nothing is bought until there are a policy and a burster, and the view says which is missing", async () => {
  expect((await view()).blocked).toBe("this environment has no burst policy");
  const set = burstView.parse(await put("/v1/burst/policy", policy));
  expect([set.policy, set.blocked]).toEqual([policy, "no burster was heard of since the master started"]);
  expect(bursterReply.parse(await heard())).toMatchObject({ leaseMs: 30_000, ledger: set.ledger });
  expect(await view()).toMatchObject({ offers: [offer], burster: { holder: "here", silent: false } });
  expect((await view()).blocked).toBeUndefined();
  expect(await master.call("PUT", "/v1/burst/burster", { body: { ...burster, holder: "there" } })).toMatchObject({
    status: 409,
    body: { error: { code: "burster-held" } },
  });
  const wrong = await master.call("PUT", "/v1/burst/policy", { body: { ...policy, budget: { zone: "Atlantis" } } });
  expect(wrong).toMatchObject({ status: 400, body: { error: { message: 'budget.zone: there is no time zone "Atlantis"' } } });
});

test("a job that overflows the pool is bought a machine, runs on it, and the machine goes when it is idle", async () => {
  await put("/v1/burst/policy", policy);
  await heard();
  expect((await post("/v1/jobs", aJob({ name: "big", resources: { cpu: 3000, memory: 1024 } }))).status).toBe(201);
  const first = burstWork.parse(await get("/v1/burst/work"));
  const asked = get(`/v1/burst/work?after=${first.revision}&waitMs=25000`);
  const row = await goOn("an intent", async () => (await view()).rows[0]);
  expect(burstWork.parse(await asked).rows).toEqual([row]);
  expect(row).toMatchObject({ state: "intent", for: [{ job: "big", tasks: 1 }], seconds: { boot: { planned: 3 } } });
  const why = explanation.parse(await get("/v1/explain?subject=job/big"));
  expect(why.burst).toMatchObject({ job: "big" });
  expect(poolView.parse(await get("/v1/pool")).bursts).toMatchObject({ launching: 1, hourly: 0 });

  const { id } = row;
  expect((await report(id, { type: "launch" }, "there")).body.error.code).toBe("burster-held");
  expect(burstRow.parse((await report(id, { type: "launch" })).body).state).toBe("launching");
  expect((await report(id, { type: "extend", expiresAt: 1 })).body.error.message).toContain("only the master itself decides that");
  await report(id, { type: "time", phase: "boot", seconds: 2.5 });
  await master.declare(`${id}-1`, aDeclaration({ pool: "overflow", burst: id, capacity: offer.shape, price: { hourly: 0.1 } }));
  const agent = await connectAgent(master, await joinNode(master, `${id}-1`));
  await agent.run("big.0.1");
  await report(id, { type: "launched" });
  expect(burstRow.parse(await get(`/v1/bursts/${id}`))).toMatchObject({
    state: "live",
    joined: { [`${id}-1`]: expect.any(Number) },
    usedAt: expect.any(Number),
    seconds: { boot: { planned: 3, actual: 2.5 } },
  });
  for (const subject of [`burst/${id}`, `burst-${id}`, id]) {
    const told = explanation.parse(await get(`/v1/explain?subject=${subject}`));
    expect(told.subject).toBe(`burst/${id}`);
    expect(told.summary).toMatch(
      new RegExp(
        `^${id} is live for .*; 1 machine of overflow/small at \\$0\\.10/h, bought for 1 task of big \\(rule 1, priority 50\\); launched in .*: boot 2\\.5 s \\(planned 3 s\\); it has cost \\$`,
      ),
    );
    expect(told.events.map(({ kind }) => kind)).toEqual(["burst-intent", "burst-launching", "burst-joined", "burst-used", "burst-live"]);
  }

  agent.report({ taskId: "big.0.1", state: "running" });
  agent.report({ taskId: "big.0.1", state: "succeeded", exitCode: 0 });
  await agent.told("recorded", "big.0.1");
  const state = async (wanted: string) => {
    agent.heartbeat();
    return (await view(true)).rows.some((one) => one.state === wanted);
  };
  await goOn("it retires", () => state("retiring"));
  const drained = `burst ${id} is retiring: it is drained`;
  const nodeTold = explanation.parse(await get(`/v1/explain?subject=node/${id}-1`)).summary;
  expect(nodeTold).toContain(`; it is drained and gets no new task: ${drained}`);
  const lines = await master.stream("/v1/ledger");
  await lines.ended;
  const nodeLine = lines.lines.map((one) => ledgerLine.parse(one)).find((one) => one.kind === "node" && one.node.name === `${id}-1`);
  expect(nodeLine).toMatchObject({ node: { scheduling: "drained", schedulingReason: expect.stringContaining(drained) } });
  expect((await master.call("DELETE", `/v1/nodes/${id}-1`)).body).toEqual({ removed: true });
  expect((await report(id, { type: "gone" })).body.state).toBe("gone");
  expect((await view()).rows).toEqual([]);
  expect((await view(true)).rows).toMatchObject([{ id, state: "gone" }]);
  expect(poolView.parse(await get("/v1/pool")).bursts).toBeUndefined();
  const ledger = await master.stream("/v1/ledger");
  await ledger.ended;
  expect(ledger.lines.map((line) => ledgerLine.parse(line)).at(-1)).toMatchObject({ kind: "burst", row: { id } });
});

test("what would be decided is told without being done, with each offer and why not", async () => {
  await put("/v1/burst/policy", { ...policy, budget: { zone: "UTC", perHour: 0.05 } });
  await heard();
  await post("/v1/jobs", aJob({ name: "big", resources: { cpu: 3000, memory: 1024 } }));
  await master.clock.advance(3000);
  const planned = burstPlan.parse(await get("/v1/burst/plan"));
  expect(planned.launch).toEqual([]);
  expect(planned.explain.demands).toMatchObject([
    {
      job: "big",
      outcome: "refused",
      candidates: [{ offer: offer.id, rejected: "budget.perHour: $0.10/h would be above the cap of $0.05/h" }],
    },
  ]);
  expect((await view(true)).rows).toEqual([]);
});

test("a job that only a machine yet to be bought could take is accepted, a bigger one is not", async () => {
  const submit = async (fields: Record<string, unknown>) => (await post("/v1/jobs", aJob(fields))).status;
  const big = { resources: { cpu: 3000, memory: 1024 } };
  expect(await submit(big)).toBe(422);
  await put("/v1/burst/policy", policy);
  await heard();
  expect(await submit(big)).toBe(201);
  expect(await submit({ ...big, nodePool: "overflow" })).toBe(201);
  expect(await submit({ resources: { cpu: 30_000, memory: 1024 } })).toBe(422);
  expect(await submit({ ...big, nodePool: "rack" })).toBe(422);
});

test("pause, resume, stop and tell answer with what is so then; what is not there is told", async () => {
  await put("/v1/burst/policy", policy);
  await heard();
  expect(burstView.parse((await post("/v1/burst/pause", { reason: "audit" })).body).blocked).toBe("bursts are paused: audit");
  await master.restart();
  expect((await view()).paused).toMatchObject({ reason: "audit" });
  expect(burstView.parse((await post("/v1/burst/resume")).body).paused).toBeUndefined();
  expect(await post("/v1/bursts/b-none/stop")).toMatchObject({ status: 404, body: { error: { code: "not-found" } } });
  await heard();
  const telling = { holder: "here", burst: "b-1", kind: "burst-progress", message: "machine b-1-1 boots" };
  expect((await post("/v1/burst/tell", telling)).body).toEqual({});
  expect(await master.events("burst/b-1")).toMatchObject([{ kind: "burst-progress", message: "machine b-1-1 boots" }]);
  expect(burstView.parse((await master.call("DELETE", "/v1/burst/policy")).body).policy).toBeUndefined();
});
