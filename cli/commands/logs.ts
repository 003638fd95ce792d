/** `spillway logs`: the output of one attempt of a job, byte for byte, to the same two streams. */
import type { Command } from "commander";
import { parseTaskId } from "../../agent/contract/workload.ts";
import { readOption, usageError, wantsJson, wholeNumber, withEnvironment, withExamples } from "../command-options.ts";
import { openEnvironment } from "../environment-context.ts";
import { copyLog, jsonLineSinks, ownStreams } from "../log-copy.ts";
import { say, status } from "../output.ts";
import { patiently } from "../patience.ts";
import { followJob } from "../run-job.ts";

interface LogsOptions {
  readonly index?: string;
  readonly attempt?: string;
  readonly follow?: boolean;
}

export function registerLogs(program: Command): void {
  const command = program
    .command("logs")
    .description("The output of a job's task: its stdout to stdout, its stderr to stderr, byte for byte.")
    .argument("<job>", "the job's name, or a task's id (train-41.0.2: job, index, attempt)")
    .option("--index <index>", "which index of an array (default 0)")
    .option("--attempt <attempt>", "which attempt (default: the latest)")
    .option("-f, --follow", "stay until the task ends; a retry is announced and followed")
    .action(async (job: string, options: LogsOptions) => {
      const target = targetOf(job, options);
      const { client } = openEnvironment(command);
      const sinks = wantsJson(command) ? jsonLineSinks() : ownStreams();
      if (options.follow) {
        const only = { index: 0, ...target.query };
        await followJob({ client, job: target.job, only, sinks, tell: say, status, signal: new AbortController().signal });
        return;
      }
      const copy = copyLog(sinks);
      await patiently((progress) => copy.run(client.logs(target.job, target.query), progress));
    });
  withExamples(withEnvironment(command), [
    "spillway logs train-41 --follow",
    "spillway logs train-41 --index 3 --attempt 1",
    "spillway logs train-41.3.1",
    "spillway logs train-41 --output json | jq -r '.data | @base64d'   # json: a line for each piece, its bytes in base64",
  ]);
}

function targetOf(job: string, options: LogsOptions): { job: string; query: { index?: number; attempt?: number } } {
  const task = parseTaskId(job);
  if (task !== undefined) {
    if (options.index !== undefined || options.attempt !== undefined)
      throw usageError(`${job} is a task already; leave out --index and --attempt`);
    return { job: task.job, query: { index: task.index, attempt: task.attempt } };
  }
  return {
    job,
    query: {
      ...(options.index === undefined ? {} : { index: readOption("--index", options.index, wholeNumber(0, 9999)) }),
      ...(options.attempt === undefined ? {} : { attempt: readOption("--attempt", options.attempt, wholeNumber(1, 1_000_000)) }),
    },
  };
}
