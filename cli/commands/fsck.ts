/** `spillway fsck`: compares ledger, stacks and providers, and mends what is wrong with `--fix`. */
import type { Command } from "commander";
import type { FsckFinding, FsckResult } from "../../stacks/workflow/fsck.ts";
import { chosenEnvironment } from "../chosen-environment.ts";
import { outputOption, wantsJson, withExamples } from "../command-options.ts";
import { exitCodes } from "../dispatch.ts";
import { interruptible } from "../interruptible.ts";
import { clearStatus, countOf, paint, plain, print, printJson, status } from "../output.ts";

export function registerFsck(program: Command): void {
  const command = program
    .command("fsck")
    .description("Compare what the ledger, the stacks and the providers say, and tell what is there and should not be.")
    .argument("[environment]", "e.g. local (else --env, SPILLWAY_ENV, or the only one there is)")
    .option("--env <name>", "the environment")
    .option("--fix", "end what nobody wants, and what leaks; machines of node pools are never deleted")
    .option(
      "--forget <environment>",
      "with --fix: give up what a master that does not answer knows of its bursts; type the environment's name",
    )
    .addOption(outputOption())
    .action(async (given: string | undefined, { fix = false, forget }: { fix?: boolean; forget?: string }) => {
      const environment = given ?? chosenEnvironment(command);
      const { fsck } = await import("../../stacks/workflow/fsck.ts");
      status("  looking at what there is");
      const result = await interruptible(`spillway fsck${fix ? " --fix" : ""} ${environment}`, () =>
        fsck(environment, { fix, forget, onProgress: (text) => status(`  ${plain(text)}`) }),
      );
      clearStatus();
      if (isWrong(result)) process.exitCode ??= exitCodes.failure;
      if (wantsJson(command)) return printJson(result);
      return print(fsckText(result, { fix, environment }));
    });
  withExamples(command, ["spillway fsck", "spillway fsck prod --fix", "spillway fsck --output json | jq '.findings[].found'"]);
  command.addHelpText(
    "after",
    `
It works without the master too: then what the providers list is told, and --fix ends it only with --forget NAME.
Exit codes: 0 nothing is wrong, or all of it was mended; 1 something is left, or the ledger could not be read; 2 wrong use.`,
  );
}

/** Whether something is left to do. */
export function isWrong({ ledgerProblem, findings }: FsckResult): boolean {
  return ledgerProblem !== undefined || findings.some(({ mended }) => mended === undefined);
}

export function fsckText(result: FsckResult, { fix, environment }: { readonly fix: boolean; readonly environment: string }): string {
  const { ledgerProblem, looked, findings } = result;
  const lines = [`Looked at ${countOf(looked.machines, "machine")} of bursts and ${countOf(looked.bursts, "burst")} of the ledger.`];
  if (ledgerProblem !== undefined) lines.push(paint("yellow", `The ledger could not be read: ${plain(ledgerProblem)}`));
  for (const finding of findings) lines.push(...findingLines(finding));
  const left = findings.filter(({ mended }) => mended === undefined).length;
  if (findings.length === 0) lines.push(ledgerProblem === undefined ? "Nothing is wrong." : "Nothing else is wrong.");
  else if (left === 0) lines.push(`${countOf(findings.length, "finding")}, all mended.`);
  else lines.push(`${countOf(left, "finding")} left.${fix ? "" : ` To mend what can be mended: spillway fsck --fix ${environment}`}`);
  return lines.join("\n");
}

function findingLines({ found, mended, failed, next }: FsckFinding): string[] {
  const mark = mended !== undefined ? paint("green", "✓") : paint("red", "✗");
  const lines = [`  ${mark} ${plain(found)}`];
  if (mended !== undefined) lines.push(`    ${plain(mended)}`);
  if (failed !== undefined) lines.push(`    could not be mended: ${plain(failed)}`);
  if (mended === undefined && next !== undefined) lines.push(`    ${plain(next)}`);
  return lines;
}
