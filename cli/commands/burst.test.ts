import { describe, expect, test } from "vitest";
import type { BurstPlan } from "../../agent/contract/plan.ts";
import { anOffer, aRow, aView } from "../testing/bursts.ts";
import { commandBench } from "../testing/command-bench.ts";
import { sendError } from "../testing/fake-master.ts";

const bench = commandBench();
const hourMs = 3_600_000;

describe("burst list", () => {
  test("tells each burst's cost and reason, then the budget and who applies it", async () => {
    const retiring = aRow({ id: "b-old", state: "retiring", why: "it is drained", offer: "aws/x", provider: "aws" });
    bench.master.answer(() => aView({ rows: [aRow(), retiring] }));
    const { code, stdout } = await bench.run("burst", "list");
    expect(code).toBe(0);
    expect(stdout).toMatch(/b-tm4k2c +live +1 +local\/small \(pretend\) +\$0\.10 +\$0\.10 +60 min +train-41 waits for 30 s/);
    expect(stdout).toMatch(/b-old +retiring +1 +aws\/x +\$0\.10 .* it is drained/);
    expect(stdout).toContain("budget    hour   $0.10/h run, $0.10/h committed of $0.40/h (25 %)");
    expect(stdout).toContain("day    $4.10 spent, $4.20 committed of $5.00 (84 %)");
    expect(stdout).not.toContain("month");
    expect(stdout).toContain("laptop, process 4711, heard 2 s ago");
    expect(stdout.trim().split("\n").at(-1)).toBe("Why one of them: spillway explain b-tm4k2c");
    expect(bench.master.requests.at(-1)?.query.get("all")).toBeNull();
  });

  test("says why nothing is bought, and what to do about it", async () => {
    const burster = { holder: "h", host: "laptop", pid: 1, version: "0", seenAt: Date.now() - 60_000, silent: true };
    bench.master.answer(() => aView({ blocked: "the burster on laptop is silent since 60 s", burster }));
    const silent = await bench.run("burst", "list", "--all");
    expect(silent.stdout).toContain(
      "Nothing is bought now: the burster on laptop is silent since 60 s. `./spillway up local` starts the burster again.",
    );
    expect(silent.stdout).toContain("silent: last heard 60 s ago");
    bench.master.answer(() => aView({ blocked: "bursts are paused", paused: { at: 0, reason: "" } }));
    expect((await bench.run("burst", "list")).stdout).toContain(
      "Nothing is bought now: bursts are paused. To go on: spillway burst resume",
    );
    const { policy: _, ...without } = aView();
    bench.master.answer(() => without);
    expect((await bench.run("burst", "list")).stdout).toContain("local does not burst");
  });

  test("what leaks is told apart, with what it costs and the next step", async () => {
    const now = Date.now();
    const leaked = aRow({ state: "leaked", at: { launching: now - 2 * hourMs, leaked: now - hourMs }, why: "AWS answers no" });
    const budget = { ...aView().budget, leaked: { bursts: [leaked.id], hourly: 0.1, spent: 0.1 } };
    bench.master.answer(() => aView({ rows: [leaked], budget }));
    const { stdout } = await bench.run("burst", "list");
    expect(stdout).toContain("$0.10 + $0.10 leaked");
    expect(stdout).toContain("leaked    b-tm4k2c: $0.10/h, $0.10 so far, beyond the budget");
    expect(stdout.trim().split("\n").at(-1)).toContain("spillway fsck --fix");
  });

  test("JSON is the master's own view", async () => {
    const view = aView({ rows: [aRow()] });
    bench.master.answer(() => view);
    expect(JSON.parse((await bench.run("burst", "list", "-o", "json")).stdout)).toEqual(view);
  });
});

describe("burst plan", () => {
  const plan: BurstPlan = {
    launch: [
      {
        burst: "b-new",
        nodes: ["b-new-1", "b-new-2"],
        offer: anOffer(),
        hourly: 0.2,
        rule: 1,
        priority: 50,
        for: [{ job: "train-41", tasks: 3 }],
        reason: "train-41 waits for 30 s",
        expiresAt: 0,
      },
    ],
    retire: [{ burst: "b-idle", action: "drain", cause: "idle", deadline: 0, reason: "it is idle for 12 s" }],
    explain: {
      demands: [
        {
          job: "train-41",
          tasks: 3,
          outcome: "launch",
          rule: 1,
          bursts: ["b-new"],
          reason: "the cheapest per task",
          candidates: [
            { offer: "aws/x", burstPool: "aws", hourly: 0.2, chosen: false, rejected: "twice as dear" },
            { offer: "local/small", burstPool: "overflow", hourly: 0.1, fits: 2, hourlyPerTask: 0.05, chosen: true },
          ],
        },
      ],
      bursts: [
        { burst: "b-idle", reason: "it is idle for 12 s" },
        { burst: "b-busy", reason: "b-busy-1 has 1 task" },
      ],
      budget: aView().budget,
    },
  };

  test("says what would be bought, what would go, what stays and why not something else", async () => {
    bench.master.answer(({ path }) => (path === "/v1/burst/plan" ? plan : aView()));
    const { stdout } = await bench.run("burst", "plan");
    expect(stdout).toContain("b-new  2 × local/small  $0.20/h, pretend price  (rule 1): train-41 waits for 30 s");
    expect(stdout).toContain("b-idle  drain: it is idle for 12 s");
    expect(stdout).toContain("b-busy  b-busy-1 has 1 task");
    expect(stdout).toContain("train-41  3 tasks: a burst is bought (rule 1): the cheapest per task [b-new]");
    expect(stdout).toMatch(/chosen {2}local\/small +\$0\.10\/h {2}fits 2 tasks, \$0\.05\/h each/);
    expect(stdout).toMatch(/not {5}aws\/x +\$0\.20\/h {2}twice as dear/);
  });

  test("nothing to do is said in a sentence", async () => {
    const idle = { launch: [], retire: [], explain: { demands: [], bursts: [], budget: aView().budget } };
    bench.master.answer(({ path }) => (path === "/v1/burst/plan" ? idle : aView()));
    expect((await bench.run("burst", "plan")).stdout).toContain("Nothing would be bought and nothing given back now.");
  });
});

describe("burst pause and resume", () => {
  test("pause says what still runs and what that costs", async () => {
    bench.master.answer(() =>
      aView({ rows: [aRow(), aRow({ id: "b-2", state: "launching", hourly: 0.2 }), aRow({ id: "b-3", state: "intent" })] }),
    );
    const { stdout } = await bench.run("burst", "pause", "--reason", "invoice");
    expect(bench.master.requests.at(-1)).toMatchObject({ method: "POST", path: "/v1/burst/pause", body: { reason: "invoice" } });
    expect(stdout).toContain("2 bursts still run (1 live, 1 launching) and cost $0.30/h until idle:");
    expect(stdout).toContain("b-2  launching  1 machine  $0.20/h");
    expect(stdout).not.toContain("b-3");
    expect(stdout.trim().split("\n").at(-1)).toBe("To go on: spillway burst resume");
    bench.master.answer(() => aView());
    expect((await bench.run("burst", "pause")).stdout).toContain("bursts cost nothing");
  });

  test("resume says when something else still keeps it from buying", async () => {
    bench.master.answer(() => aView());
    expect((await bench.run("burst", "resume")).stdout).toContain("Bursts are bought again");
    bench.master.answer(() => aView({ blocked: "the environment is closing" }));
    expect((await bench.run("burst", "resume")).stdout).toContain("Nothing is bought now: the environment is closing.");
  });
});

describe("burst stop", () => {
  test("waits until nothing of it is left, and says what it goes through", async () => {
    const now = Date.now();
    const states = [
      aRow({ state: "draining", why: "stopped by the operator", drain: { cause: "operator", deadline: now + 60_000 } }),
      aRow({ state: "retiring", why: "it is drained" }),
      aRow({ state: "gone", at: { launching: now - hourMs, gone: now } }),
    ];
    let asked = 0;
    bench.master.answer(({ path }) => (path === "/v1/nodes" ? { nodes: [] } : states[Math.min(asked++, 2)]));
    const { code, stdout, stderr } = await bench.run("burst", "stop", "burst-b-tm4k2c", "--now");
    expect(bench.master.requests.find(({ method, path }) => method === "POST" && path === "/v1/bursts/b-tm4k2c/stop")?.body).toMatchObject({
      now: true,
    });
    expect(code).toBe(0);
    expect(stderr).toContain("b-tm4k2c  draining  stopped by the operator");
    expect(stderr).toContain("b-tm4k2c  retiring  it is drained");
    expect(stdout).toBe("b-tm4k2c is gone: nothing of it is left, it has cost $0.10.\n");
  });

  test("--detach does not wait", async () => {
    bench.master.answer(() => aRow({ state: "retiring", why: "stopped" }));
    const { code, stdout } = await bench.run("burst", "stop", "b-tm4k2c", "--detach");
    expect(code).toBe(0);
    expect(stdout).toContain("b-tm4k2c is retiring: stopped. It costs $0.10/h until it is gone");
  });

  test("a burst that can't be ended is an error with its price and the next step", async () => {
    bench.master.answer(() => aRow({ state: "leaked", why: "AWS answers UnauthorizedOperation" }));
    const { code, stdout, stderr } = await bench.run("burst", "stop", "b-tm4k2c");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(
      "could not be ended: AWS answers UnauthorizedOperation. It is LEAKED and costs $0.10/h\n  Try again: spillway fsck --fix",
    );
  });

  test("one that is not there is told", async () => {
    bench.master.answer((_, response) =>
      sendError(response, 404, "not-found", 'there is no burst "b-x"', "See: spillway burst list --all"),
    );
    expect(await bench.run("burst", "stop", "b-x")).toMatchObject({
      code: 1,
      stderr: 'there is no burst "b-x"\n  See: spillway burst list --all\n',
    });
  });
});
