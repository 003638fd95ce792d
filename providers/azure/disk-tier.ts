/** Standard SSD disks are sold by tiers: one of 40 GiB costs what one of 64 GiB does; pure. */

/** GiB of the tiers E1 to E80 (Microsoft's page "Azure managed disk types", Standard SSDs). */
export const diskTiers: readonly { readonly name: string; readonly gib: number }[] = [
  { name: "E1", gib: 4 },
  { name: "E2", gib: 8 },
  { name: "E3", gib: 16 },
  { name: "E4", gib: 32 },
  { name: "E6", gib: 64 },
  { name: "E10", gib: 128 },
  { name: "E15", gib: 256 },
  { name: "E20", gib: 512 },
  { name: "E30", gib: 1024 },
  { name: "E40", gib: 2048 },
  { name: "E50", gib: 4096 },
  { name: "E60", gib: 8192 },
  { name: "E70", gib: 16_384 },
  { name: "E80", gib: 32_767 },
];

/** GiB that are billed for a disk of that many: those of the smallest tier it fits in. Throws a RangeError beyond the largest. */
export function billedDiskGiB(gib: number): number {
  const tier = diskTiers.find((one) => one.gib >= gib);
  if (tier === undefined) throw new RangeError(`a disk of ${gib} GiB is more than Azure's largest (32767 GiB)`);
  return tier.gib;
}
