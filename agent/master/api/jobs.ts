/** Jobs: submitted, looked at, cancelled. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { jobList } from "../../contract/api.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { jobDetail as jobDetailSchema, jobSpec, jobState, jobView as jobViewSchema } from "../../contract/workload.ts";
import { cancelJob } from "../jobs/cancel.ts";
import { submitJob } from "../jobs/submit.ts";
import type { Leader } from "../leader.ts";
import type { PoolJob } from "../pool/pool.ts";
import { jobDetail, jobSummary, jobView } from "../pool/views.ts";
import type { Api, ApiContext } from "./context.ts";
import { answers, jsonBody } from "./route.ts";

const params = z.object({ id: z.string().describe("the job's name") });
const submitRoute = createRoute({
  method: "post",
  path: "/v1/jobs",
  operationId: "submitJob",
  tags: ["jobs"],
  summary: "Submit a job",
  description:
    "It is on disk when this answers. A name makes it safe to repeat: the same spec under the same name is answered with the job that is there (200), another spec is refused (409 `job-exists`). " +
    "What no node of the pool could ever take is refused (422 `never-fits`).",
  request: { body: jsonBody(jobSpec) },
  responses: {
    200: answers(jobViewSchema, "the same job was there already")[200],
    201: answers(jobViewSchema, "the job was taken")[200],
    default: answers(jobViewSchema, "").default,
  },
});
const listRoute = createRoute({
  method: "get",
  path: "/v1/jobs",
  operationId: "listJobs",
  tags: ["jobs"],
  summary: "The jobs",
  description: "Without their attempts. Finished jobs are kept up to a bound, the oldest are forgotten first.",
  request: { query: z.object({ state: jobState.optional().describe("only jobs in this state") }) },
  responses: answers(jobList, "jobs in the order of their submission"),
});
const getRoute = createRoute({
  method: "get",
  path: "/v1/jobs/{id}",
  operationId: "getJob",
  tags: ["jobs"],
  summary: "One job with all its attempts",
  request: { params },
  responses: answers(jobDetailSchema, "the job with its attempts"),
});
const cancelRoute = createRoute({
  method: "post",
  path: "/v1/jobs/{id}/cancel",
  operationId: "cancelJob",
  tags: ["jobs"],
  summary: "Cancel a job",
  description: "What waits is dropped; what runs gets TERM, then KILL after its grace. Nothing happens to a job that has ended.",
  request: { params },
  responses: answers(jobViewSchema, "the job; its running tasks are being stopped"),
});

export function jobRoutes(api: Api, { leader }: ApiContext): void {
  api.openapi(submitRoute, async (context) => {
    const { job, created } = await submitJob(leader(), context.req.valid("json"));
    return created ? context.json(jobView(job), 201) : context.json(jobView(job), 200);
  });
  api.openapi(listRoute, (context) => {
    const { state } = context.req.valid("query");
    const jobs = [...leader().pool.jobs.values()].map(jobSummary);
    return context.json({ jobs: state === undefined ? jobs : jobs.filter((job) => job.state === state) }, 200);
  });
  api.openapi(getRoute, (context) => context.json(jobDetail(jobOf(leader(), context.req.valid("param").id)), 200));
  api.openapi(cancelRoute, async (context) => {
    const job = jobOf(leader(), context.req.valid("param").id);
    await cancelJob(leader(), job, { reason: "cancelled by the user" });
    return context.json(jobView(job), 200);
  });
}

function jobOf(leader: Leader, id: string): PoolJob {
  const job = leader.pool.jobs.get(id);
  if (job === undefined) throw new SpillwayError(`there is no job "${id}"`, { code: "not-found", hint: "See: spillway jobs list" });
  return job;
}
