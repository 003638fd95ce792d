/** `spillway up ENV`: makes what the settings say, and mends what is broken. */
import type { Command } from "commander";
import { formatCpu, formatDuration, formatMemory } from "../../agent/contract/quantities.ts";
import { productVersion } from "../../agent/contract/version.ts";
import { burstCeiling, ceilingText } from "../../stacks/burst-ceiling.ts";
import type { BurstSettings } from "../../stacks/burst-settings.ts";
import { cloudPoolCosts } from "../../stacks/cloud-pool-cost.ts";
import { overridesOf } from "../../stacks/guard-rails.ts";
import { readSettings } from "../../stacks/settings-file.ts";
import { stateLayout } from "../../stacks/state-layout.ts";
import { type Preview, preview, type UpResult, up } from "../../stacks/workflow/up.ts";
import { ask, refuseWithoutTerminal } from "../ask.ts";
import { askSecrets } from "../ask-secrets.ts";
import { outputOption, wantsJson, withExamples } from "../command-options.ts";
import { interruptible } from "../interruptible.ts";
import { print, printJson, say, status } from "../output.ts";
import { cloudPoolText, guardLines, showPlan } from "../planned-changes.ts";
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
      const settings = readSettings(environment);
      say(`Spillway ${productVersion} · environment ${environment} · state in ${stateLayout(environment).root}`);
      // Whoever is asked sees them with the plan.
      if (options.yes === true) {
        for (const cost of cloudPoolCosts(settings)) say(`  ${cloudPoolText(environment, cost, begun)}`);
        for (const line of guardLines(overridesOf(settings))) say(line);
      }
      await askSecrets(environment);
      status("  opening the stack");
      const shown = { onRow: showRows(), onNotice: say };
      if (options.yes !== true && environment !== "local") {
        const instead = `spillway preview ${environment}, then: spillway up ${environment} --yes`;
        refuseWithoutTerminal(instead);
        if (!(await agreed(environment, instead, await preview(environment, { onRow: () => undefined, onNotice: say })))) return undefined;
      }
      const result = await interruptible(`./spillway up ${environment}`, () =>
        up(environment, { ...shown, onStart: () => status("  looking at what is there") }),
      );
      if (wantsJson(command)) return printJson({ ...result, seconds: (Date.now() - begun) / 1000 });
      return printResult(environment, { ...result, bursts: settings.burst }, Date.now() - begun);
    });
  withExamples(command, ["spillway up local", "spillway up local --output json"]);
}

async function agreed(environment: string, instead: string, planned: Preview): Promise<boolean> {
  showPlan(environment, planned);
  if (planned.changes.length === 0) return true;
  if ((await ask("Apply? (yes/no) ", instead)) === "yes") return true;
  say("Nothing was changed.");
  return false;
}

function printResult(
  environment: string,
  { changes, masterUrl, pool, leftOut, bursts }: UpResult & { readonly bursts: BurstSettings | undefined },
  ms: number,
): void {
  const what = changes === 0 ? "Nothing changed." : "";
  const size = `${pool.nodes} ${pool.nodes === 1 ? "node" : "nodes"} · ${formatCpu(pool.cpuMillicores)} cpu · ${formatMemory(pool.memoryMiB)} · $${pool.hourly.toFixed(2)}/hour`;
  print();
  if (what !== "") print(what);
  print(`One pool: ${size}     ${formatDuration(ms)}`);
  for (const problem of leftOut) print(`  left out    ${problem.replaceAll("\n", "\n              ")}`);
  if (bursts !== undefined) print(`  ${ceilingText(burstCeiling(bursts))}`);
  print(`  master      ${masterUrl}   (access: ./spillway login --env ${environment})`);
  const which = environment === "local" ? "" : ` --env ${environment}`;
  print(`  try         ./spillway run${which} --cpu 1 -- echo hello`);
  print(`              ./spillway pool${which} --watch`);
  print(`              ./spillway jobs submit${which} --trace examples/trace/day.csv`);
}
