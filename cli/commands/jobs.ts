/** `spillway jobs …`: list, show, cancel, submit. */
import type { Command } from "commander";
import { formatCpu, formatMemory } from "../../agent/contract/quantities.ts";
import { type Attempt, type JobDetail, type JobState, type JobView, jobState } from "../../agent/contract/workload.ts";
import { usageError, wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { openEnvironment } from "../environment-context.ts";
import { paint, paintState, plain, print, printJson, shortSpan, table } from "../output.ts";
import { patiently, restartPatienceMs } from "../patience.ts";
import { registerJobsSubmit } from "./jobs-submit.ts";

export function registerJobs(program: Command): void {
  const jobs = program.command("jobs").description("Jobs: commands that run to completion.");
  registerList(jobs);
  registerShow(jobs);
  registerCancel(jobs);
  registerJobsSubmit(jobs);
}

const shownByDefault = 40;

function registerList(jobs: Command): void {
  const list = jobs
    .command("list")
    .description("The jobs, newest first.")
    .option("--state <state>", `only ${jobState.options.join(", ")}`)
    .option("-a, --all", `all of them (without it the newest ${shownByDefault})`)
    .action(async (options: { state?: string; all?: boolean }) => {
      const state = jobState.safeParse(options.state);
      if (options.state !== undefined && !state.success)
        throw usageError(`--state: "${options.state}" is none of ${jobState.options.join(", ")}`);
      const { client } = openEnvironment(list);
      const found = await client.jobs(state.success ? (state.data satisfies JobState) : undefined);
      const sorted = found.toSorted((a, b) => b.submittedAt - a.submittedAt);
      if (wantsJson(list)) return printJson({ jobs: sorted });
      if (sorted.length === 0) return print(`No ${options.state ?? ""} jobs. \`spillway run -- echo hello\` makes one.`.replace("  ", " "));
      print(jobTable(options.all ? sorted : sorted.slice(0, shownByDefault), Date.now()));
      if (!options.all && sorted.length > shownByDefault)
        print(paint("dim", `… and ${sorted.length - shownByDefault} older: --all shows them`));
    });
  withExamples(withEnvironment(list), [
    "spillway jobs list",
    "spillway jobs list --state pending",
    "spillway jobs list --output json | jq '.jobs[].id'",
  ]);
}

export function jobTable(views: readonly JobView[], now: number): string {
  const rows = views.map((job) => [
    job.id,
    paintState(job.state),
    `${job.counts.succeeded ?? 0}/${job.spec.count}`,
    formatCpu(job.spec.resources.cpu),
    formatMemory(job.spec.resources.memory),
    String(job.spec.priority),
    `${shortSpan(now - job.submittedAt)} ago`,
    shortSpan((job.finishedAt ?? now) - job.submittedAt),
    job.state === "succeeded" ? "" : plain(job.reason),
  ]);
  return table(
    [
      { title: "job" },
      { title: "state" },
      { title: "done", align: "right" },
      { title: "cpu", align: "right" },
      { title: "memory", align: "right" },
      { title: "priority", align: "right" },
      { title: "submitted", align: "right" },
      { title: "took", align: "right" },
      { title: "why" },
    ],
    rows,
  );
}

function registerShow(jobs: Command): void {
  const show = jobs
    .command("show")
    .description("One job: what it asked for, and every attempt at it.")
    .argument("<job>", "the job's name")
    .action(async (id: string) => {
      const detail = await openEnvironment(show).client.job(id);
      if (wantsJson(show)) printJson(detail);
      else print(jobText(detail, Date.now()));
    });
  withExamples(withEnvironment(show), ["spillway jobs show train-41"]);
}

export function jobText(detail: JobDetail, now: number): string {
  const { spec } = detail;
  const facts: [string, string][] = [
    ["job", `${paint("bold", detail.id)}  ${paintState(detail.state)}`],
    ["why", plain(detail.reason)],
    ["command", spec.command.map(quoted).join(" ")],
    [
      "each task",
      `${formatCpu(spec.resources.cpu)} cpu · ${formatMemory(spec.resources.memory)}${spec.resources.disk > 0 ? ` · ${formatMemory(spec.resources.disk)} disk` : ""}`,
    ],
    [
      "asked for",
      `${spec.count > 1 ? `${spec.count} tasks, ` : ""}priority ${spec.priority}, retries ${spec.retries}${spec.nodePool === undefined ? "" : `, only in ${spec.nodePool}`}`,
    ],
    ["submitted", `${new Date(detail.submittedAt).toISOString()} (${shortSpan(now - detail.submittedAt)} ago)`],
  ];
  const rows = detail.indexes.flatMap((index) =>
    index.attempts.length === 0
      ? [[String(index.index), "–", paintState(index.state), "", "", "", plain(index.pendingReason ?? "")]]
      : index.attempts.map((attempt) => attemptRow(index.index, attempt, now)),
  );
  const columns = [
    { title: "index" },
    { title: "attempt" },
    { title: "state" },
    { title: "node" },
    { title: "took" },
    { title: "code" },
    { title: "why" },
  ];
  return [...facts.map(([title, text]) => `${title.padEnd(10)} ${text}`), "", table(columns, rows)].join("\n");
}

function attemptRow(index: number, attempt: Attempt, now: number): string[] {
  const from = attempt.startedAt;
  const took = from === undefined ? "" : shortSpan((attempt.finishedAt ?? now) - from);
  return [
    String(index),
    String(attempt.attempt),
    paintState(attempt.state),
    attempt.node,
    took,
    String(attempt.exitCode ?? ""),
    plain(attempt.reason ?? ""),
  ];
}

/** One word as a person would type it in a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${plain(word).replaceAll("'", "'\\''")}'`;
}

function registerCancel(jobs: Command): void {
  const cancel = jobs
    .command("cancel")
    .description("Cancel jobs: what waits is dropped, what runs gets TERM, then KILL after its grace.")
    .argument("<job...>", "the jobs' names")
    .action(async (ids: string[]) => {
      const { client } = openEnvironment(cancel);
      const views: JobView[] = [];
      for (const id of ids) {
        const view = await patiently(() => client.cancelJob(id), { forMs: restartPatienceMs });
        views.push(view);
        if (!wantsJson(cancel)) print(`${view.id}  ${paintState(view.state)}  ${plain(view.reason)}`);
      }
      if (wantsJson(cancel)) printJson({ jobs: views });
    });
  withExamples(withEnvironment(cancel), ["spillway jobs cancel train-41 train-42"]);
}
