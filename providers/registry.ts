/** The providers of this version, by the name that a machine bears. */
import { SpillwayError } from "../agent/contract/errors.ts";
import { awsProvider } from "./aws/pool.ts";
import { azureProvider } from "./azure/pool.ts";
import { localProvider } from "./local/pool.ts";
import type { Provider } from "./provider.ts";
import { sshProvider } from "./ssh/pool.ts";

const providers: readonly Provider[] = [localProvider, sshProvider, awsProvider, azureProvider];

/** Throws `unknown-provider` for a machine of a provider that this version does not have. */
export function providerOf(name: string): Provider {
  const provider = providers.find((candidate) => candidate.name === name);
  if (provider === undefined) {
    throw new SpillwayError(`there is no provider "${name}" in this version`, {
      code: "unknown-provider",
      hint: `Known providers: ${providers.map((known) => known.name).join(", ")}.`,
    });
  }
  return provider;
}
