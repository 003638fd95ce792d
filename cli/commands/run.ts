/** `spillway run`: runs a command on the pool as if it ran here: its output, its exit code. */
import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import type { Command } from "commander";
import type { z } from "zod";
import type { Client } from "../../agent/contract/client.ts";
import { parseCpu, parseDuration, parseMemory } from "../../agent/contract/quantities.ts";
import { type JobView, jobSpec, maxJobCount } from "../../agent/contract/workload.ts";
import { readOption, usageError, wantsJson, wholeNumber, withEnvironment, withExamples } from "../command-options.ts";
import { exitCodes, report } from "../dispatch.ts";
import { openEnvironment } from "../environment-context.ts";
import { type Interruption, onInterruption } from "../interruption.ts";
import { ownStreams } from "../log-copy.ts";
import { clearStatus, plain, printJson, say, status } from "../output.ts";
import { patiently, restartPatienceMs } from "../patience.ts";
import { exitCodeOf, followJob } from "../run-job.ts";

interface RunOptions {
  readonly cpu: string;
  readonly memory: string;
  readonly disk?: string;
  readonly name?: string;
  readonly priority?: string;
  readonly retries?: string;
  readonly count?: string;
  readonly nodePool?: string;
  readonly setEnv: readonly string[];
  readonly timeout?: string;
  readonly grace?: string;
  readonly detach?: boolean;
}

export function registerRun(program: Command): void {
  const command = program
    .command("run")
    .description("Run a command on the pool, follow its output, and exit with its code.")
    .argument("<command...>", "the command and its arguments, after --; no shell is put before it")
    .passThroughOptions()
    .option("--cpu <cores>", "cores for each task (2, 0.5, 500m)", "1")
    .option("--memory <amount>", "memory for each task (512Mi, 8Gi)", "256Mi")
    .option("--disk <amount>", "disk for each task (1Gi)")
    .option("--name <name>", "the job's name (default: the command's, with a random end)")
    .option("--priority <0-100>", "higher is placed first (default 50)")
    .option("--retries <count>", "how often a failed task is tried again (default 0)")
    .option("--count <count>", "an array of so many tasks; SPILLWAY_INDEX tells each its index (default 1)")
    .option("--node-pool <pool>", "only on nodes of this pool")
    .option(
      "-e, --set-env <KEY=VALUE>",
      "a variable for the task; may be given several times",
      (value: string, all: string[]) => [...all, value],
      [],
    )
    .option("--timeout <duration>", "stop a task that runs longer (30s, 5m, 2h)")
    .option("--grace <duration>", "time between TERM and KILL when it is stopped (default 10s)")
    .option("-d, --detach", "submit only; print the job's name and go")
    .action(async (words: string[], options: RunOptions) => {
      process.exitCode = await run(command, words, options).catch((error: unknown) => {
        const code = report(error);
        return code === exitCodes.failure ? exitCodes.ownFailureOfRun : code;
      });
    });
  withExamples(withEnvironment(command), [
    "spillway run --cpu 1 -- echo hello",
    "spillway run --cpu 4 --memory 8Gi --retries 2 -- python train.py",
    "spillway run --count 10 -- sh -c 'echo I am $SPILLWAY_INDEX'",
    "name=$(spillway run --detach -e MODE=fast -- ./batch.sh); spillway logs --follow $name",
  ]);
  command.addHelpText(
    "after",
    `
Output: one task's stdout and stderr arrive on the same streams, byte for byte. An array's lines begin with their index.
Ctrl-C on a terminal asks: cancel or detach. A second Ctrl-C detaches. Without a terminal SIGINT cancels; SIGTERM detaches.
Exit code: the task's own (an array: 0 when all succeeded, else that of the first failing index). 125: Spillway could not
run it, or it was cancelled elsewhere. 130: ended by Ctrl-C. 143: detached by SIGTERM.`,
  );
}

async function run(command: Command, words: readonly string[], options: RunOptions): Promise<number> {
  const spec = specOf(words, options);
  const { client } = openEnvironment(command);
  const name = spec.name ?? "";
  const { job, created } = await submit(client, spec);
  if (options.detach) {
    if (wantsJson(command)) printJson(job);
    else process.stdout.write(`${job.id}\n`);
    return exitCodes.ok;
  }
  // Byte-exact streams are the rule of `run`, so JSON is of use with --detach only.
  if (wantsJson(command)) say("--output json is for --detach; the task's own output follows");
  if (!created) say(`${job.id} was submitted before with the same spec; this is that job`);
  else status(`${job.id} was submitted; waiting for a node`);
  return follow(client, name);
}

/** A restarting master is waited for. What was sent may have arrived although the answer did not; the name makes sending it again harmless. */
async function submit(client: Client, spec: z.output<typeof jobSpec>): Promise<{ job: JobView; created: boolean }> {
  let tries = 0;
  const answer = await patiently(
    () => {
      tries += 1;
      return client.submitJob(spec);
    },
    { forMs: restartPatienceMs },
  );
  return tries === 1 ? answer : { ...answer, created: true };
}

async function follow(client: Client, job: string): Promise<number> {
  const stop = new AbortController();
  let choice: Interruption | undefined;
  const release = onInterruption({
    ask: (question) => {
      clearStatus();
      process.stderr.write(`\n${question}`);
    },
    goOn: () => say(""),
    onChoice: (chosen) => {
      const before = choice;
      choice = chosen;
      if (chosen !== "cancel") return stop.abort();
      if (before === "cancel") return;
      say(`\nCancelling ${job} …`);
      patiently(() => client.cancelJob(job), { forMs: restartPatienceMs, signal: stop.signal }).catch((error: unknown) => {
        if (stop.signal.aborted) return;
        report(error);
        stop.abort();
      });
    },
  });
  try {
    const detail = await followJob({ client, job, sinks: ownStreams(), tell: say, status, signal: stop.signal });
    clearStatus();
    if (detail === undefined) {
      say(`\nDetached: ${job} goes on without you. \`spillway logs --follow ${job}\` shows it, \`spillway jobs cancel ${job}\` ends it.`);
      return choice === "detach-terminated" ? exitCodes.terminated : exitCodes.interrupted;
    }
    if (choice === "cancel") {
      say(`${job} is ${detail.state}.`);
      return exitCodes.interrupted;
    }
    if (detail.state !== "succeeded") say(`${job} ${detail.state}: ${plain(detail.reason)}`);
    return exitCodeOf(detail) ?? exitCodes.ownFailureOfRun;
  } finally {
    release();
  }
}

/** The job's spec; every fault in an option is a usage error that names it. */
function specOf(words: readonly string[], options: RunOptions): z.output<typeof jobSpec> {
  const draft = {
    name: options.name ?? madeUpName(words[0] ?? "job"),
    command: words,
    env: Object.fromEntries(options.setEnv.map(readVariable)),
    resources: {
      cpu: readOption("--cpu", options.cpu, parseCpu),
      memory: readOption("--memory", options.memory, parseMemory),
      disk: optional("--disk", options.disk, parseMemory),
    },
    priority: optional("--priority", options.priority, wholeNumber(0, 100)),
    retries: optional("--retries", options.retries, wholeNumber(0, 100)),
    count: optional("--count", options.count, wholeNumber(1, maxJobCount)),
    nodePool: options.nodePool,
    timeoutMs: optional("--timeout", options.timeout, parseDuration),
    graceMs: optional("--grace", options.grace, parseDuration),
  };
  const parsed = jobSpec.safeParse(draft);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw usageError(`--${String(issue?.path[0]).replace("nodePool", "node-pool").replace("Ms", "")}: ${issue?.message}`);
}

function optional<T>(option: string, value: string | undefined, parse: (value: string) => T): T | undefined {
  return value === undefined ? undefined : readOption(option, value, parse);
}

function readVariable(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw usageError(`--set-env: "${text}" is not KEY=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A name of one's own makes a repeated submission harmless: `python-3f9a1c`. */
function madeUpName(program: string): string {
  const stem = basename(program)
    .toLowerCase()
    .replace(/\.[a-z]+$/, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40);
  return `${stem === "" ? "job" : stem.replace(/-+$/, "")}-${randomBytes(3).toString("hex")}`;
}
