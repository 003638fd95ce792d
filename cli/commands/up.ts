/** `spillway up ENV`: makes what the settings say, and mends what is broken. */
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { formatCpu, formatDuration, formatMemory } from "../../agent/contract/quantities.ts";
import { productVersion } from "../../agent/contract/version.ts";
import { readSettings } from "../../stacks/settings-file.ts";
import { stateLayout } from "../../stacks/state-layout.ts";
import { type PlannedChange, preview, type UpResult, up } from "../../stacks/workflow/up.ts";
import { outputOption, wantsJson, withExamples } from "../command-options.ts";
import { interruptible } from "../interruptible.ts";
import { print, printJson, say, status } from "../output.ts";
import { showPlan } from "../planned-changes.ts";
import { showRows } from "../progress-rows.ts";

export function registerUp(program: Command): void {
  const command = program
    .command("up")
    .description("Make the environment as its settings say, and mend what is broken.")
    .argument("<environment>", "e.g. local")
    .option("-y, --yes", "do not ask (local machines cost nothing and are never asked for)")
    .addOption(outputOption())
    .action(async (environment: string, options: { yes?: boolean }) => {
      const begun = Date.now();
      readSettings(environment);
      say(`Spillway ${productVersion} · environment ${environment} · state in ${stateLayout(environment).root}`);
      status("  opening the stack");
      const shown = { onRow: showRows(), onNotice: say };
      if (options.yes !== true && environment !== "local") {
        if (!process.stdin.isTTY) throw untold(environment);
        if (!(await agreed(await preview(environment, { onRow: () => undefined, onNotice: say })))) return undefined;
      }
      const result = await interruptible(`./spillway up ${environment}`, () =>
        up(environment, { ...shown, onStart: () => status("  looking at what is there") }),
      );
      if (wantsJson(command)) return printJson({ ...result, seconds: (Date.now() - begun) / 1000 });
      return printResult(environment, result, Date.now() - begun);
    });
  withExamples(command, ["spillway up local", "spillway up local --output json"]);
}

function untold(environment: string): SpillwayError {
  return new SpillwayError("without a terminal it is not asked, so it must be told", {
    code: "usage",
    hint: `spillway preview ${environment}, then: spillway up ${environment} --yes`,
  });
}

async function agreed(planned: readonly PlannedChange[]): Promise<boolean> {
  showPlan(planned);
  if (planned.length === 0) return true;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question("Apply? (yes/no) ");
  prompt.close();
  if (answer.trim() === "yes") return true;
  say("Nothing was changed.");
  return false;
}

function printResult(environment: string, { changes, masterUrl, pool }: UpResult, ms: number): void {
  const what = changes === 0 ? "Nothing changed." : "";
  const size = `${pool.nodes} nodes · ${formatCpu(pool.cpuMillicores)} cpu · ${formatMemory(pool.memoryMiB)} · $0.00/hour`;
  print();
  if (what !== "") print(what);
  print(`One pool: ${size}     ${formatDuration(ms)}`);
  print(`  master      ${masterUrl}   (access: ./spillway login --env ${environment})`);
  print("  try         ./spillway run --cpu 1 -- echo hello");
  print("              ./spillway pool --watch");
  print("              ./spillway jobs submit --trace examples/trace/day.csv");
}
