/** What a shell needs so that plain `pulumi` in stacks/environment does the same job as `./spillway`. */
import { dirname } from "node:path";
import { readSettings } from "../settings-file.ts";
import { stateRoot } from "../state-layout.ts";
import { openStack, pulumiVariables } from "./workspace.ts";

/** Makes the stack, and returns variables: PATH with Node and Pulumi, the backend and the passphrase's file. */
export async function shellExports(environment: string): Promise<Record<string, string>> {
  readSettings(environment);
  const variables = pulumiVariables(environment);
  await openStack(environment);
  const path = process.env.PATH ?? "";
  const node = dirname(process.execPath);
  return {
    PATH: path.split(":").includes(node) ? path : `${node}:${path}`,
    ...(process.env.PULUMI_HOME === undefined ? {} : { PULUMI_HOME: process.env.PULUMI_HOME }),
    ...(process.env.SPILLWAY_CACHE === undefined ? {} : { SPILLWAY_CACHE: process.env.SPILLWAY_CACHE }),
    ...(process.env.SPILLWAY_STATE_DIR === undefined ? {} : { SPILLWAY_STATE_DIR: stateRoot() }),
    ...variables,
  };
}
