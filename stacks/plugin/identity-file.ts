/** The file on a machine that says whose it is. */
import type { InstallLayout } from "../../agent/contract/install-layout.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import type { InstalledFile } from "../../bootstrap/context.ts";
import type { MachineIdentity } from "../../bootstrap/machine-facts.ts";

export function identityOf(
  { environmentId, environment, machine }: { environmentId: string; environment: string; machine: Pick<Machine, "name"> },
  layout: InstallLayout,
): InstalledFile {
  const identity: MachineIdentity = { environmentId, environment, machine: machine.name };
  return { path: layout.identityFile, content: `${JSON.stringify(identity)}\n`, mode: "600" };
}
