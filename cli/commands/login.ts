/** `spillway login`: where the context is and how to use its token; the token itself only when asked for. */
import type { Command } from "commander";
import { wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { environmentNameOf, findContext } from "../environment-context.ts";
import { print, printJson } from "../output.ts";

export function registerLogin(program: Command): void {
  const command = program
    .command("login")
    .description("Where the context is, and how other programs use the API with it.")
    .option("--show-token", "print the admin token, and nothing else (json: add it)")
    .option("--show-ca", "print the CA certificate (PEM), and nothing else (json: add it)")
    .action((options: { showToken?: boolean; showCa?: boolean }) => {
      const { context, file } = findContext({ name: environmentNameOf(command) });
      if (wantsJson(command)) {
        const { environment, environmentId, url, token, ca } = context;
        const asked = { ...(options.showToken ? { token } : {}), ...(options.showCa ? { ca } : {}) };
        return printJson({ environment, environmentId, url, contextFile: file, ...asked });
      }
      if (options.showToken) return print(context.token);
      if (options.showCa) return print(context.ca.trimEnd());
      print(`environment  ${context.environment} (${context.environmentId})`);
      print(`API          ${context.url}/v1`);
      print(`context      ${file} (holds the CA and the admin token; keep it to yourself)`);
      print();
      print("The CLI finds all this by itself. Other programs send the token as a bearer token and trust only that CA:");
      return print(
        `  curl --cacert <(./spillway login --show-ca) -H "authorization: Bearer $(./spillway login --show-token)" ${context.url}/v1/pool`,
      );
    });
  withExamples(withEnvironment(command), [
    "spillway login",
    "spillway login --show-token      # for scripts; anyone who has it rules the pool",
  ]);
}
