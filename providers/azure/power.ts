/** What Azure says of a machine's power, in our words; pure. */
import type { MachineStatus } from "../provider.ts";

/**
 * From the codes of an instance view (Microsoft's page "States and billing of Azure Virtual Machines"). `stopped` means that the
 * system shut down but the machine is still allocated, and billed; `deallocated` is not billed but for its disk and address.
 * While a machine is made or changed it has no power state yet: then it is on its way. One whose making has failed, as where there
 * was no capacity, has none either, and is not: Azure keeps it, and it has never run.
 */
export function powerOf(codes: readonly (string | undefined)[]): Exclude<MachineStatus, "silent" | "gone"> {
  const of = (kind: string) => codes.find((code) => code?.startsWith(`${kind}/`))?.slice(kind.length + 1);
  const power = of("PowerState");
  if (power !== undefined && power !== "unknown") return power === "running" || power === "starting" ? "running" : "stopped";
  const provisioning = of("ProvisioningState") ?? "";
  const hasNeverRun = power === undefined && provisioning.startsWith("failed");
  return hasNeverRun || provisioning.startsWith("deleting") ? "stopped" : "running";
}
