/** `spillway env ENV`: the shell variables under which plain Pulumi finds the environment; makes its stack. */
import type { Command } from "commander";
import { quote } from "../../bootstrap/commands/shell.ts";
import { shellExports } from "../../stacks/workflow/shell-exports.ts";
import { outputOption, wantsJson, withExamples } from "../command-options.ts";
import { clearStatus, print, printJson, status } from "../output.ts";

export function registerEnv(program: Command): void {
  const command = program
    .command("env")
    .description("Print the shell variables under which plain Pulumi finds the environment, and make its stack.")
    .argument("<environment>", "e.g. local")
    .addOption(outputOption())
    .action(async (environment: string) => {
      status("  opening the stack");
      const variables = await shellExports(environment);
      clearStatus();
      if (wantsJson(command)) return printJson(variables);
      return print(
        Object.entries(variables)
          .map(([name, value]) => `export ${name}=${quote(value)}`)
          .join("\n"),
      );
    });
  withExamples(command, [
    'eval "$(spillway env local)"',
    "cd stacks/environment && pulumi up -s local",
    "pulumi destroy --remove -s local",
  ]);
}
