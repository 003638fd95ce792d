/** `spillway destroy ENV`: stops all tasks, takes everything down in order, keeps the logs. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { formatDuration } from "../../agent/contract/quantities.ts";
import { destroy } from "../../stacks/workflow/destroy.ts";
import { ask } from "../ask.ts";
import { askSecretsOfState } from "../ask-secrets.ts";
import { outputOption, wantsJson, withExamples } from "../command-options.ts";
import { interruptible } from "../interruptible.ts";
import { print, printJson, say, status } from "../output.ts";
import { showRows } from "../progress-rows.ts";

export function registerDestroy(program: Command): void {
  const command = program
    .command("destroy")
    .description("Stop all tasks and take the environment down; its logs stay.")
    .argument("<environment>", "e.g. local")
    .option("-y, --yes", "do not ask")
    .option("--forget <name>", "the master is dead for good: give up what it knows; takes the environment's name")
    .addOption(outputOption())
    .action(async (environment: string, options: { yes?: boolean; forget?: string }) => {
      if (options.forget !== undefined && options.forget !== environment) {
        throw new SpillwayError(`--forget wants the environment's own name, typed out: --forget ${environment}`, { code: "usage" });
      }
      if (options.yes !== true) await confirm(environment);
      await askSecretsOfState(environment);
      const begun = Date.now();
      status("  opening the stack");
      const result = await interruptible(`./spillway destroy ${environment}`, () =>
        destroy(environment, { onRow: showRows(), onNotice: say, forget: options.forget !== undefined }),
      );
      if (wantsJson(command)) return printJson({ ...result, seconds: (Date.now() - begun) / 1000 });
      if (result.changes === 0) return print(`There was nothing of ${environment} to take down.`);
      print(`Gone: ${result.changes} resources of ${environment}     ${formatDuration(Date.now() - begun)}`);
      const ledger = existsSync(join(result.logs, "final-ledger.jsonl")) ? " (final-ledger.jsonl tells what ran)" : "";
      return print(`  kept        ${result.logs}${ledger}`);
    });
  withExamples(command, [
    "spillway destroy local",
    "spillway destroy local --yes",
    "spillway destroy local --yes --forget local   # the master is dead for good",
  ]);
}

async function confirm(environment: string): Promise<void> {
  const question = `This stops every task of ${environment} and takes it down: its own machines go, hosts of yours stay without a trace of it. Type its name to go on: `;
  if ((await ask(question, `spillway destroy ${environment} --yes`)) !== environment)
    throw new SpillwayError("not confirmed; nothing was changed", {
      code: "not-confirmed",
      hint: "Type the environment's own name to confirm.",
    });
}
