/** What Azure says of a machine's power, in our words; pure. */
import type { MachineStatus } from "../provider.ts";

type Codes = readonly (string | undefined)[];

/**
 * From the codes of an instance view (Microsoft's page "States and billing of Azure Virtual Machines"). `stopped` means that the
 * system shut down but the machine is still allocated, and billed; `deallocated` is not billed but for its disk and address.
 * While a machine is made or changed it has no power state yet: then it is on its way. One whose making has failed, as where there
 * was no capacity, has none either, and is not: Azure keeps it, and it has never run.
 */
export function powerOf(codes: Codes): Exclude<MachineStatus, "silent" | "gone"> {
  const power = codeOf(codes, "PowerState");
  if (power !== undefined && power !== "unknown") return power === "running" || power === "starting" ? "running" : "stopped";
  return hasNeverRun(codes) || codeOf(codes, "ProvisioningState")?.startsWith("deleting") ? "stopped" : "running";
}

/** Whether the making of a machine has failed before it had any power. */
export function hasNeverRun(codes: Codes): boolean {
  return codeOf(codes, "PowerState") === undefined && codeOf(codes, "ProvisioningState")?.startsWith("failed") === true;
}

function codeOf(codes: Codes, kind: string): string | undefined {
  return codes.find((code) => code?.startsWith(`${kind}/`))?.slice(kind.length + 1);
}
