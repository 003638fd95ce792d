import { describe, expect, test } from "vitest";
import type { SpillwayError } from "../contract/errors.ts";
import { startMaster } from "./main.ts";
import { connectAgent, joinNode } from "./testing/fake-agent.ts";
import { aJob, testMaster } from "./testing/test-master.ts";
import { until } from "./testing/until.ts";

const quiet = () => {};

describe("a master", () => {
  test("that finds its port in use says so and leaves the other one's state alone", async () => {
    const master = await testMaster();
    try {
      const config = { ...master.config, listen: { host: "127.0.0.1", port: master.port } };
      await expect(startMaster(config, { log: quiet })).rejects.toMatchObject({ code: "port-in-use", where: `127.0.0.1:${master.port}` });
      expect((await master.declare("m1")).status).toBe(200);
    } finally {
      await master.end();
    }
  });

  test("whose files are missing names the file", async () => {
    const master = await testMaster();
    try {
      const config = { ...master.config, caFile: "/nonexistent/ca.pem" };
      await expect(startMaster(config, { log: quiet })).rejects.toMatchObject({ code: "file-unreadable", where: "/nonexistent/ca.pem" });
    } finally {
      await master.end();
    }
  });

  test("gives up when another one takes over its state directory, and changes nothing any more", async () => {
    const faults: SpillwayError[] = [];
    const master = await testMaster({ onSuperseded: (fault) => faults.push(fault) });
    const second = await startMaster(master.config, { log: quiet });
    try {
      const answer = await master.declare("m1");
      expect(answer.status).toBeGreaterThanOrEqual(500);
      await until("told", () => faults.length === 1);
      expect(faults[0]?.code).toBe("superseded");
      expect((await master.declare("m2")).status).toBeGreaterThanOrEqual(500);
      expect((await master.call("GET", "/v1/health")).status).toBeGreaterThanOrEqual(500);
      await second.stop();
      await master.restart();
      expect((await master.call("GET", "/v1/nodes")).body.nodes).toEqual([]);
    } finally {
      await second.stop();
      await master.end();
    }
  });

  test("with a full disk refuses what it can't write down, keeps what it has, and goes on when there is room", async () => {
    const master = await testMaster({ maxStorePages: 40 });
    try {
      const identity = await joinNode(master, "m1");
      const agent = await connectAgent(master, identity);
      await master.call("POST", "/v1/jobs", { body: aJob({ name: "kept" }) });
      await agent.run("kept.0.1");
      const large = (name: string) => master.call("POST", "/v1/jobs", { body: aJob({ name, command: ["x".repeat(60_000)] }) });
      const accepted: string[] = [];
      let refused = await large("job-0");
      for (let n = 1; refused.status === 201 && n < 20; n += 1) {
        accepted.push(`job-${n - 1}`);
        refused = await large(`job-${n}`);
      }
      expect(refused).toMatchObject({
        status: 507,
        body: { error: { code: "store-full", hint: expect.stringContaining("Free some space") } },
      });
      await until("it serves what is on record", async () => (await master.call("GET", "/v1/jobs")).status === 200);
      const jobs = (await master.call("GET", "/v1/jobs")).body.jobs.map(({ id }: { id: string }) => id);
      expect(jobs).toEqual(["kept", ...accepted]);
      // Small writes fit again, so it goes on by itself.
      await until("writable again", async () => {
        await master.clock.advance(1000);
        return (await master.events("environment")).some(({ kind }) => kind === "master-resumed");
      });
      const back = await connectAgent(master, identity, { tasks: [{ taskId: "kept.0.1", state: "succeeded", exitCode: 0 }] });
      await back.told("recorded", "kept.0.1");
      expect((await master.job("kept")).state).toBe("succeeded");
    } finally {
      await master.end();
    }
  });

  test("keeps every acknowledged job over a restart, and goes on where it was", async () => {
    const master = await testMaster();
    try {
      const identity = await joinNode(master, "m1");
      const names = Array.from({ length: 30 }, (_, n) => `job-${n}`);
      const answers = await Promise.all(names.map((name) => master.call("POST", "/v1/jobs", { body: aJob({ name }) })));
      expect(answers.every(({ status }) => status === 201)).toBe(true);
      await master.restart();
      const agent = await connectAgent(master, identity);
      const done = new Set<string>();
      await until("all are done", async () => {
        for (const message of agent.received) {
          if (message.type !== "run" || done.has(message.task.taskId)) continue;
          done.add(message.task.taskId);
          agent.report({ taskId: message.task.taskId, state: "succeeded", exitCode: 0 });
        }
        return done.size === names.length;
      });
      await until("all are recorded", async () => (await master.call("GET", "/v1/pool")).body.jobs.finished === names.length);
      expect((await master.call("GET", "/v1/nodes/m1")).body).toMatchObject({ tasks: 0, used: { cpu: 0, memory: 0 } });
      const seqs = (await master.events()).map(({ seq }) => seq);
      expect(new Set(seqs).size).toBe(seqs.length);
    } finally {
      await master.end();
    }
  });

  test("never gives a node more than its capacity, however many jobs come", async () => {
    const master = await testMaster();
    try {
      const agent = await connectAgent(master, await joinNode(master, "m1"));
      await master.call("POST", "/v1/jobs", { body: aJob({ name: "array", count: 40, resources: { cpu: 1500, memory: 1000 } }) });
      const reported = new Set<string>();
      let most = 0;
      await until("all are done", async () => {
        const runs = agent.received.flatMap((one) => (one.type === "run" ? [one.task.taskId] : []));
        most = Math.max(most, runs.length - reported.size);
        const next = runs.find((taskId) => !reported.has(taskId));
        if (next !== undefined) {
          reported.add(next);
          agent.report({ taskId: next, state: "succeeded", exitCode: 0 });
        }
        return reported.size === 40;
      });
      expect(most).toBeLessThanOrEqual(2);
    } finally {
      await master.end();
    }
  });
});
