/** What a machine's disk costs; pure. */
import { billedDiskGiB } from "./azure/disk-tier.ts";
import type { Catalog } from "./provider.ts";

/** USD/hour. Azure bills whole tiers of disks, AWS each GiB. */
export function diskHourly({ provider, diskGiB }: Pick<Catalog, "provider" | "diskGiB">, gib: number): number {
  return diskGiB * (provider === "azure" ? billedDiskGiB(gib) : gib);
}
