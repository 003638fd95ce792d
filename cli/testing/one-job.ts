/** For tests: a pretend master's answers about one job. */
import { z } from "zod";
import type { Attempt, JobDetail } from "../../agent/contract/workload.ts";
import { aJob, type FakeHandler, send, sendLines, viewOf } from "./fake-master.ts";

const named = z.object({ name: z.string() });
const indexStates = { pending: "pending", running: "active", succeeded: "succeeded", failed: "failed", cancelled: "cancelled" } as const;

/** A master with one job, whatever its name: submitted, then as `detail` says, with `log` as its output. */
export function oneJob(detail: (id: string) => JobDetail, log: readonly unknown[] = [], more?: FakeHandler): FakeHandler {
  return (request, response) => {
    const id = request.path.split("/")[3] ?? "";
    const answer = more?.(request, response);
    if (answer !== undefined || response.writableEnded) return answer;
    if (request.method === "POST" && request.path === "/v1/jobs")
      return send(response, 201, viewOf(aJob({ id: nameIn(request.body), state: "pending" })));
    if (request.path.endsWith("/logs")) {
      sendLines(response, log);
      if (log.some((line) => JSON.stringify(line).includes('"end"'))) response.end();
      return undefined;
    }
    return detail(id);
  };
}

/** The name in the body of a submission. */
export function nameIn(body: unknown): string {
  return named.parse(body).name;
}

/** An attempt that succeeded on m1, unless told otherwise. */
export function anAttempt(overrides: Partial<Attempt> = {}): Attempt {
  return {
    attempt: 1,
    taskId: "j1.0.1",
    node: "m1",
    state: "succeeded",
    assignedAt: 1,
    startedAt: 2,
    finishedAt: 3,
    ...overrides,
  };
}

/** A job of one task with one attempt. */
export function jobWith(state: JobDetail["state"], attempt: Attempt, id: string): JobDetail {
  return aJob({ id, state, indexes: [{ index: 0, state: indexStates[state], attempts: [attempt] }] });
}
