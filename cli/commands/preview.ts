/** `spillway preview ENV`: what `up` would change. */
import type { Command } from "commander";
import { previewVariable } from "../../stacks/plugin/own-place.ts";
import { preview } from "../../stacks/workflow/up.ts";
import { askSecrets } from "../ask-secrets.ts";
import { outputOption, wantsJson, withExamples } from "../command-options.ts";
import { exitCodes } from "../dispatch.ts";
import { clearStatus, printJson, say, status } from "../output.ts";
import { showPlan } from "../planned-changes.ts";

export function registerPreview(program: Command): void {
  const command = program
    .command("preview")
    .description("Show what `up` would change, without changing anything.")
    .argument("<environment>", "e.g. local")
    .option("--expect-no-changes", `end with ${exitCodes.changesFound} when something would change: a check for drift`)
    .addOption(outputOption())
    .action(async (environment: string, { expectNoChanges = false }: { expectNoChanges?: boolean }) => {
      await askSecrets(environment);
      status("  comparing what is there with the settings");
      process.env[previewVariable] = "1";
      const planned = await preview(environment, { onRow: () => undefined, onNotice: say });
      clearStatus();
      if (expectNoChanges && planned.changes.length > 0) process.exitCode ??= exitCodes.changesFound;
      if (wantsJson(command)) return printJson(planned);
      return showPlan(environment, planned);
    });
  withExamples(command, ["spillway preview local", "spillway preview prod --expect-no-changes   # every night, in CI"]);
  command.addHelpText(
    "after",
    `\nWith --expect-no-changes: 0 nothing would change, ${exitCodes.changesFound} something would, 1 it could not be told.`,
  );
}
