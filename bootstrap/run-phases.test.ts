import { expect, it } from "vitest";
import { SpillwayError } from "../agent/contract/errors.ts";
import type { Machine } from "../agent/contract/machine.ts";
import { type BootstrapRequest, nothingToInstall, type Phase } from "./context.ts";
import { runPhases } from "./run-phases.ts";
import type { Clock } from "./ssh/reconnecting.ts";

const machine: Machine = {
  name: "m1",
  pool: "rack",
  provider: "ssh",
  providerId: "ssh://m1:22",
  host: "m1",
  port: 22,
  user: "ops",
  credential: { kind: "agent" },
  labels: {},
  attributes: {},
};
const lost = () => new SpillwayError("the SSH connection broke", { code: "ssh-lost" });

function aClock(): Clock {
  let ms = 0;
  return {
    now: () => ms,
    pause: async (step) => {
      ms += step;
    },
    random: () => 0,
  };
}

function aRequest(over: Partial<BootstrapRequest> = {}): BootstrapRequest {
  return { machine, role: "agent", ...nothingToInstall, patienceMs: 10_000, ...over };
}

/** Phases called a, b, c that note when they run; `failures` are thrown in their turn by the phase they are of. */
function phases(failures: Record<string, Error[]> = {}): { list: Phase[]; ran: string[] } {
  const ran: string[] = [];
  const list = ["a", "b", "c"].map((title) => ({
    title,
    run: async () => {
      ran.push(title);
      const failure = failures[title]?.shift();
      if (failure !== undefined) throw failure;
    },
  }));
  return { list, ran };
}

it("begins anew when the connection breaks, and tells so", async () => {
  const { list, ran } = phases({ b: [lost()], c: [lost()] });
  const told: string[] = [];
  await runPhases(list, aRequest({ onProgress: (text) => told.push(text) }), aClock());
  expect(ran.join("")).toBe("ababcabc");
  expect(told).toContain("the SSH connection broke (b); connecting again");
});

it("does not repeat what the machine or a command has said no to", async () => {
  const { list, ran } = phases({ b: [new SpillwayError("no", { code: "remote-command-failed" })] });
  await expect(runPhases(list, aRequest(), aClock())).rejects.toMatchObject({ code: "remote-command-failed" });
  expect(ran.join("")).toBe("ab");
});

it("gives up when it gets no farther for as long as it is patient", async () => {
  const clock = aClock();
  const { list } = phases({ b: Array.from({ length: 1000 }, lost) });
  await expect(runPhases(list, aRequest(), clock)).rejects.toMatchObject({ code: "ssh-lost" });
  expect(clock.now()).toBeGreaterThan(2000);
  expect(clock.now()).toBeLessThanOrEqual(10_000);
});

it("hands a reconnection no more time than is left", async () => {
  const left: number[] = [];
  const list: Phase[] = [
    {
      title: "a",
      run: async ({ request }) => {
        left.push(request.patienceMs ?? -1);
        if (left.length < 4) throw lost();
      },
    },
  ];
  await runPhases(list, aRequest(), aClock());
  expect(left).toEqual([10_000, 9875, 9625, 9125]);
});

it("keeps in mind that a role has to be started anew, whatever broke since", async () => {
  const seen: boolean[] = [];
  const list: Phase[] = [
    {
      title: "install",
      run: async (context) => {
        seen.push(context.restartNeeded);
        context.restartNeeded = true;
        if (seen.length === 1) throw lost();
      },
    },
  ];
  await runPhases(list, aRequest(), aClock());
  expect(seen).toEqual([false, true]);
});
