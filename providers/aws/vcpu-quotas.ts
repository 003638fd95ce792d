/** Which of AWS' quotas a type counts against, and what they leave. Pure: answers in, vCPUs out. */
import type { Instance, InstanceTypeInfo } from "@aws-sdk/client-ec2";
import { type Market, tagNames } from "../cloud-machine.ts";
import type { Catalog } from "../provider.ts";

/**
 * Codes of the quotas on vCPUs, by what the quota is for; the same in every region. AWS' list: EC2 instance types guide, "Amazon
 * EC2 instance type quotas" (docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html). HPC and High Memory have
 * none for spot. On demand all of P share one; for spot there is one up to P4 and one for P5, and none is told for later ones.
 */
const codes = {
  Standard: { "on-demand": "L-1216C47A", spot: "L-34B43A08" },
  DL: { "on-demand": "L-6E869C2A", spot: "L-85EED4F7" },
  F: { "on-demand": "L-74FC7D96", spot: "L-88CF9481" },
  "G and VT": { "on-demand": "L-DB2E81BA", spot: "L-3819A6DF" },
  HPC: { "on-demand": "L-F7808C92" },
  "High Memory": { "on-demand": "L-43DA4232" },
  Inf: { "on-demand": "L-1945791B", spot: "L-B5D1601B" },
  "P2-P4": { "on-demand": "L-417A185B", spot: "L-7212CCBC" },
  P5: { "on-demand": "L-417A185B", spot: "L-C4BD4855" },
  "P6 and later": { "on-demand": "L-417A185B" },
  Trn: { "on-demand": "L-2C3B7624", spot: "L-6B0D517C" },
  X: { "on-demand": "L-7295265B", spot: "L-E3A00192" },
} satisfies Readonly<Record<string, Readonly<Partial<Record<Market, string>>>>>;

export type QuotaFamily = keyof typeof codes;

/** By the letters that a type's name begins with: Standard is A, C, D, H, I (with Im and Is), M, R, T and Z. */
const families: Readonly<Record<string, QuotaFamily>> = {
  ...Object.fromEntries(["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"].map((letters) => [letters, "Standard" as const])),
  dl: "DL",
  f: "F",
  g: "G and VT",
  gr: "G and VT",
  vt: "G and VT",
  hpc: "HPC",
  u: "High Memory",
  inf: "Inf",
  trn: "Trn",
  x: "X",
};

/** Undefined for a type whose quota nobody knows: it is bounded by none beforehand. */
export function quotaFamilyOf(instanceType: string): QuotaFamily | undefined {
  const [, letters = "", generation = ""] = /^([a-z]+)-?(\d+)/.exec(instanceType) ?? [];
  if (letters !== "p") return Object.hasOwn(families, letters) ? families[letters] : undefined;
  if (Number(generation) <= 4) return "P2-P4";
  return generation === "5" ? "P5" : "P6 and later";
}

/** What counts against a quota. */
export interface RunningVcpus {
  readonly instanceType: string;
  readonly market: Market;
  readonly vcpus: number;
}

/**
 * Instances that count: quotas are grouped by what is bought (the same page), and dedicated hosts and capacity blocks have others.
 * Machines of bursts do not count here: they come and go between two askings, and who buys them counts its own.
 * A type counts with the vCPUs that it has by default; of one that is not in the list, with those that the instance has.
 */
export function runningVcpus(instances: readonly Instance[], types: readonly InstanceTypeInfo[]): RunningVcpus[] {
  const defaults = new Map(types.map((type): [string | undefined, number | undefined] => [type.InstanceType, type.VCpuInfo?.DefaultVCpus]));
  return instances.flatMap(
    ({ InstanceType: instanceType, InstanceLifecycle: lifecycle, Placement, CpuOptions, Tags = [] }): RunningVcpus[] => {
      if (Tags.some(({ Key }) => Key === tagNames.burst)) return [];
      if (instanceType === undefined || lifecycle === "capacity-block" || Placement?.Tenancy === "host") return [];
      const vcpus = defaults.get(instanceType) ?? (CpuOptions?.CoreCount ?? 0) * (CpuOptions?.ThreadsPerCore ?? 1);
      return [{ instanceType, market: lifecycle === "spot" ? "spot" : "on-demand", vcpus }];
    },
  );
}

/** What is left of each quota, by family and market. `limits` are vCPUs by code; one that AWS does not tell is left out. */
export function freeVcpus(limits: ReadonlyMap<string, number>, running: readonly RunningVcpus[]): NonNullable<Catalog["quota"]> {
  const used = new Map<string, number>();
  for (const { instanceType, market, vcpus } of running) {
    const code = codeOf(quotaFamilyOf(instanceType), market);
    if (code !== undefined) used.set(code, (used.get(code) ?? 0) + vcpus);
  }
  const left = (family: QuotaFamily, market: Market) => {
    const code = codeOf(family, market);
    const limit = code === undefined ? undefined : limits.get(code);
    return code === undefined || limit === undefined ? {} : { [market]: Math.max(0, limit - (used.get(code) ?? 0)) };
  };
  const all = (Object.keys(codes) as QuotaFamily[]).map(
    (family) => [family, { ...left(family, "on-demand"), ...left(family, "spot") }] as const,
  );
  return Object.fromEntries(all.filter(([, markets]) => Object.keys(markets).length > 0));
}

function codeOf(family: QuotaFamily | undefined, market: Market): string | undefined {
  const known: Readonly<Partial<Record<Market, string>>> = family === undefined ? {} : codes[family];
  return known[market];
}
