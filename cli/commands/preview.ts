/** `spillway preview ENV`: what `up` would change. */
import type { Command } from "commander";
import { preview } from "../../stacks/workflow/up.ts";
import { outputOption, wantsJson, withExamples } from "../command-options.ts";
import { clearStatus, printJson, say, status } from "../output.ts";
import { showPlan } from "../planned-changes.ts";

export function registerPreview(program: Command): void {
  const command = program
    .command("preview")
    .description("Show what `up` would change, without changing anything.")
    .argument("<environment>", "e.g. local")
    .addOption(outputOption())
    .action(async (environment: string) => {
      status("  comparing what is there with the settings");
      const planned = await preview(environment, { onRow: () => undefined, onNotice: say });
      clearStatus();
      if (wantsJson(command)) return printJson(planned);
      return showPlan(planned);
    });
  withExamples(command, ["spillway preview local"]);
}
