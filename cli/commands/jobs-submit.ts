/** `spillway jobs submit --trace FILE`: runs the jobs of a recorded or synthetic trace on the pool. */
import { basename } from "node:path";
import { type Command, Option } from "commander";
import type { BurstView } from "../../agent/contract/burst-api.ts";
import type { Client } from "../../agent/contract/client.ts";
import { ifFound, SpillwayError } from "../../agent/contract/errors.ts";
import type { NodeView } from "../../agent/contract/node.ts";
import { formatCpu, formatDuration, formatMemory, formatUsd } from "../../agent/contract/quantities.ts";
import { resourceName } from "../../agent/contract/workload.ts";
import { readOption, usageError, wantsJson, wholeNumber, withEnvironment, withExamples } from "../command-options.ts";
import { exitCodes } from "../dispatch.ts";
import { openEnvironment } from "../environment-context.ts";
import { type Column, clearStatus, print, printJson, say, status, table } from "../output.ts";
import { type ConvertedJob, conversionFormula, convertTrace, estimateRun } from "../trace/convert.ts";
import { type NodeTotals, nodeTotals, withoutOneSuccess } from "../trace/node-totals.ts";
import { readTrace, type Trace } from "../trace/read-trace.ts";
import { readDetails, submitTrace, type TraceRunOptions, waitForTrace } from "../trace/run-trace.ts";
import { type TraceWork, traceWorks } from "../trace/trace-command.ts";

interface SubmitOptions {
  readonly trace: string;
  readonly first: string;
  readonly timeScale: string;
  readonly arrivals?: boolean;
  readonly prefix?: string;
  readonly work: TraceWork;
  readonly nodePool?: string;
  readonly priority?: string;
  readonly detach?: boolean;
  readonly dryRun?: boolean;
}

export function registerJobsSubmit(jobs: Command): void {
  const submit = jobs
    .command("submit")
    .description("Submit the jobs of a trace, scaled to this pool, and wait for them.")
    .requiredOption("--trace <file>", "a Gavel or SWIM trace or examples/trace/day.csv; a bare name is also looked for in SPILLWAY_DATA")
    .option("--first <count>", "only the first jobs, in the order of arrival", "300")
    .option("--time-scale <factor>", "make durations (and the arrivals' span) longer or shorter", "1")
    .option("--arrivals", "submit when the trace says (scaled), not all at once")
    .option("--prefix <name>", "jobs are called <name>-0001 … (default: the file's name)")
    .addOption(new Option("--work <kind>", "sleep: hold the resources; burn: keep a core busy too").choices(traceWorks).default("sleep"))
    .option("--node-pool <pool>", "only on nodes of this pool")
    .option("--priority <0-100>", "higher is placed first (default 50)")
    .option("-d, --detach", "submit only, don't wait")
    .option("--dry-run", "print the conversion and the estimate, submit nothing")
    .action((options: SubmitOptions) => act(submit, options));
  withExamples(withEnvironment(submit), [
    "spillway jobs submit --trace examples/trace/day.csv",
    "SPILLWAY_DATA=~/traces spillway jobs submit --trace swim_fb2009.tsv --first 100 --arrivals",
    "spillway jobs submit --trace examples/trace/day.csv --time-scale 0.2 --prefix again",
  ]);
}

async function act(command: Command, options: SubmitOptions): Promise<void> {
  const json = wantsJson(command);
  const first = readOption("--first", options.first, wholeNumber(1, 9999));
  const timeScale = readOption("--time-scale", options.timeScale, positiveFactor);
  const prefix = prefixOf(options);
  const trace = readTrace(options.trace, first);
  const { client } = openEnvironment(command);
  const pool = poolShape(await client.nodes(), options.nodePool);
  const burstCap = (await burstsOf(client))?.policy?.budget.perHour;
  const jobs = convertTrace(trace.jobs, {
    biggest: pool.biggest,
    prefix,
    timeScale,
    work: options.work,
    ...(options.nodePool === undefined ? {} : { nodePool: options.nodePool }),
    ...(options.priority === undefined ? {} : { priority: readOption("--priority", options.priority, wholeNumber(0, 100)) }),
  });
  const estimate = estimateRun(jobs, pool.capacity);
  const arrivalSpanMs = options.arrivals ? estimate.leastMs : 0;
  const out = json ? say : print;
  for (const line of planLines({ trace, jobs, pool, estimate, arrivalSpanMs, timeScale, burstCap })) out(line);
  if (options.dryRun) {
    if (json)
      printJson({ trace: trace.file, format: trace.format.name, jobs: jobs.map((job) => ({ ...job.spec, durationMs: job.durationMs })) });
    return;
  }

  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  const run: TraceRunOptions = { client, jobs, arrivalSpanMs, status, tell: say, signal: stop.signal };
  const startedAt = performance.now();
  const { created, existing } = await submitTrace(run);
  clearStatus();
  if (!stop.signal.aborted)
    out(`submitted ${created} jobs${existing === 0 ? "" : `; ${existing} were there already (for another run: --prefix)`}`);
  if (options.detach && !stop.signal.aborted) {
    if (json) printJson({ trace: trace.file, created, existing, jobs: jobs.map((job) => job.spec.name) });
    else out("`spillway jobs list` shows them, `spillway pool --watch` the pool.");
    return;
  }
  const views = await waitForTrace(run);
  clearStatus();
  if (views === undefined) {
    say(
      `\nInterrupted: ${created + existing} submitted jobs go on without you. The same command again waits for them; \`spillway jobs list\` shows them.`,
    );
    process.exitCode = exitCodes.interrupted;
    return;
  }
  const elapsedMs = performance.now() - startedAt;
  const details = await readDetails(run);
  clearStatus();
  if (stop.signal.aborted) {
    say(`\nInterrupted while the results were read: all ${views.length} jobs have ended. The same command again adds them up.`);
    process.exitCode = exitCodes.interrupted;
    return;
  }
  const totals = nodeTotals(details);
  const bad = withoutOneSuccess(details);
  const succeeded = views.filter((view) => view.state === "succeeded").length;
  if (json)
    printJson({
      trace: trace.file,
      format: trace.format.name,
      created,
      existing,
      succeeded,
      jobs: views.length,
      elapsedMs: Math.round(elapsedMs),
      nodes: totals,
      withoutOneSuccess: bad,
    });
  else {
    const bought = (await burstsOf(client))?.rows ?? [];
    const capacities = new Map(bought.flatMap(({ nodes, shape }) => nodes.map((node) => [node, shape] as const)));
    for (const { name, capacity } of pool.nodes) capacities.set(name, capacity);
    print(`\n${totalsTable(totals, capacities)}`);
    print(
      `\n${succeeded} of ${views.length} jobs succeeded in ${formatDuration(elapsedMs)}, ${bad.length === 0 ? "each with exactly one recorded success" : `${bad.length} without exactly one recorded success`}.`,
    );
  }
  if (bad.length > 0 || succeeded < views.length) {
    say(`Not done: ${bad.slice(0, 5).join(", ")}${bad.length > 5 ? " …" : ""}. \`spillway explain ${bad[0]}\` says why.`);
    process.exitCode = exitCodes.failure;
  }
}

/** Undefined from a master of a version before 0.3, which has none. */
function burstsOf(client: Client): Promise<BurstView | undefined> {
  return ifFound(client.bursts({ all: true }));
}

interface PoolShape {
  readonly nodes: readonly NodeView[];
  readonly biggest: { readonly cpu: number; readonly memory: number };
  readonly capacity: { readonly cpu: number; readonly memory: number };
  readonly hourly: number;
}

/** All nodes count, also those away for a moment: the same pool must give the same jobs. */
function poolShape(all: readonly NodeView[], nodePool: string | undefined): PoolShape {
  const nodes = all.filter((node) => nodePool === undefined || node.declaration.pool === nodePool).filter((node) => node.capacity.cpu > 0);
  const biggest = nodes.toSorted((a, b) => b.capacity.cpu - a.capacity.cpu || b.capacity.memory - a.capacity.memory)[0]?.capacity;
  if (biggest === undefined) {
    throw new SpillwayError(nodePool === undefined ? "the pool has no node yet" : `the node pool "${nodePool}" has no node`, {
      code: "no-nodes",
      hint: "`spillway nodes list` shows what there is.",
    });
  }
  const sum = (read: (node: NodeView) => number): number => nodes.reduce((total, node) => total + read(node), 0);
  return {
    nodes,
    biggest,
    capacity: { cpu: sum((node) => node.capacity.cpu), memory: sum((node) => node.capacity.memory) },
    hourly: sum((node) => node.declaration.price?.hourly ?? 0),
  };
}

interface Plan {
  readonly trace: Trace;
  readonly jobs: readonly ConvertedJob[];
  readonly pool: PoolShape;
  readonly estimate: ReturnType<typeof estimateRun>;
  readonly arrivalSpanMs: number;
  readonly timeScale: number;
  /** USD/hour that bursts may cost beside; undefined where there are none, or no such cap. */
  readonly burstCap: number | undefined;
}

function planLines({ trace, jobs, pool, estimate, arrivalSpanMs, timeScale, burstCap }: Plan): string[] {
  const spanMs = ((trace.jobs.at(-1)?.submitS ?? 0) - (trace.jobs[0]?.submitS ?? 0)) * 1000;
  const arrivals =
    arrivalSpanMs === 0
      ? "all at once (--arrivals spreads them)"
      : `over ${formatDuration(arrivalSpanMs)}, 1 : ${Math.round(spanMs / arrivalSpanMs)}`;
  const cost = (pool.hourly * estimate.expectedMs) / 3_600_000;
  return [
    `${trace.file}: ${trace.format.origin}`,
    ...conversionFormula(trace.format, { biggest: pool.biggest, timeScale }).map((line) => `  ${line}`),
    `jobs      the first ${jobs.length} of ${trace.total} in the order of arrival; ${estimate.cpuSeconds.toFixed(1)} cpu·s in all`,
    `arrivals  ${formatDuration(spanMs)} in the trace; here ${arrivals}`,
    `pool      ${pool.nodes.length} nodes, ${formatCpu(pool.capacity.cpu)} cpu, ${formatMemory(pool.capacity.memory)}: at least ${formatDuration(estimate.leastMs)}, about ${formatDuration(estimate.expectedMs)}`,
    `cost      $${cost.toFixed(2)}${pool.hourly === 0 ? ": own machines without a price" : ` of machine time at $${pool.hourly.toFixed(2)}/hour, which the pool costs anyway`}${burstCap === undefined ? "" : `; bursts, at most ${formatUsd(burstCap)}/hour`}`,
  ];
}

function totalsTable(
  totals: readonly NodeTotals[],
  capacities: ReadonlyMap<string, { readonly cpu: number; readonly memory: number }>,
): string {
  const all = Math.max(
    1,
    totals.reduce((sum, node) => sum + node.succeeded, 0),
  );
  const rows = totals.map((part) => {
    const capacity = capacities.get(part.node);
    return [
      part.node,
      String(part.succeeded),
      `${Math.round((100 * part.succeeded) / all)} %`,
      part.otherAttempts === 0 ? "" : String(part.otherAttempts),
      part.cpuSeconds.toFixed(1),
      `${formatCpu(part.peakCpu)} / ${capacity === undefined ? "?" : formatCpu(capacity.cpu)}`,
      `${formatMemory(part.peakMemory)} / ${capacity === undefined ? "?" : formatMemory(capacity.memory)}`,
    ];
  });
  return table(
    [{ title: "node" }, right("jobs"), right("share"), right("other attempts"), right("cpu·s"), right("peak cpu"), right("peak memory")],
    rows,
  );
}

function right(title: string): Column {
  return { title, align: "right" };
}

function positiveFactor(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0 || value > 1000) throw new RangeError(`"${text}" is not a factor between 0 and 1000`);
  return value;
}

/** The file's name without its ending, as a job's name may be; shorter than a name by the number behind it. */
function prefixOf({ prefix, trace }: SubmitOptions): string {
  if (prefix === undefined) {
    const stem = basename(trace).replace(/\.[a-z0-9]+$/i, "");
    return (
      stem
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, "-")
        .replace(/^-+|-+$/g, "")
        .slice(0, 40) || "trace"
    );
  }
  if (!resourceName.safeParse(`${prefix}-0001`).success)
    throw usageError(`--prefix: "${prefix}" can't begin a job's name: lower-case letters, digits and dashes, at most 58`);
  return prefix;
}
