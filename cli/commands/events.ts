/** `spillway events`: what the master decided, and why, as it was written down. */
import type { Command } from "commander";
import type { PoolEvent } from "../../agent/contract/api.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { readOption, wantsJson, wholeNumber, withEnvironment, withExamples } from "../command-options.ts";
import { openEnvironment } from "../environment-context.ts";
import { paint, plain, print, printJson, printJsonLine } from "../output.ts";
import { patiently } from "../patience.ts";

interface EventsOptions {
  readonly follow?: boolean;
  readonly subject?: string;
  readonly after?: string;
  readonly limit?: string;
}

export function registerEvents(program: Command): void {
  const command = program
    .command("events")
    .description("What was decided, and why: placements, retries, nodes that came and went.")
    .option("-f, --follow", "stay and show what comes, until Ctrl-C")
    .option("--subject <subject>", "only of this: job/train-41, node/m2, environment")
    .option("--after <seq>", "only events after this number (the first column)")
    .option("--limit <count>", "at most so many of the past")
    .action(async (options: EventsOptions) => {
      const { client } = openEnvironment(command);
      const json = wantsJson(command);
      const query = {
        ...(options.subject === undefined ? {} : { subject: options.subject }),
        ...(options.after === undefined ? {} : { after: readOption("--after", options.after, wholeNumber(0, Number.MAX_SAFE_INTEGER)) }),
        ...(options.limit === undefined ? {} : { limit: readOption("--limit", options.limit, wholeNumber(1, 1000)) }),
      };
      if (!options.follow) {
        const list = await client.events(query);
        if (json) return printJson(list);
        for (const event of list.events) print(eventLine(event));
        return;
      }
      let { after } = query as { after?: number };
      await patiently(async (progress) => {
        for await (const event of client.followEvents({ ...query, ...(after === undefined ? {} : { after }) })) {
          progress();
          after = event.seq;
          if (json) printJsonLine(event);
          else print(eventLine(event));
        }
        throw new SpillwayError("the master ended the stream", {
          code: "stream-interrupted",
          hint: "The master may be restarting: try again.",
        });
      });
    });
  withExamples(withEnvironment(command), [
    "spillway events --follow",
    "spillway events --subject job/train-41",
    "spillway events --output json --follow | jq 'select(.kind == \"node-lost\")'",
  ]);
}

/** `41  10:02:11  task-placed  job/train-41  on m2: …` */
export function eventLine(event: PoolEvent): string {
  const time = new Date(event.at).toTimeString().slice(0, 8);
  return `${paint("dim", `${String(event.seq).padStart(5)}  ${time}`)}  ${event.kind.padEnd(17)}  ${event.subject}  ${plain(event.message)}`;
}
