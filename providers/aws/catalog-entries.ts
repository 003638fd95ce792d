/** What AWS' answers say of its types and their prices. Pure: answers in, entries out. */
import type { GpuDeviceInfo, InstanceTypeInfo, InstanceTypeOffering, SpotPrice } from "@aws-sdk/client-ec2";
import { z } from "zod";
import type { CatalogEntry } from "../provider.ts";
import { isPlainZone } from "./network-plan.ts";
import { quotaFamilyOf } from "./vcpu-quotas.ts";

/** A product of the price list (GetProducts, `aws_v1`), as far as it is read here. */
const product = z.object({
  product: z.object({
    productFamily: z.string().optional(),
    attributes: z.record(z.string(), z.string()),
  }),
  terms: z.object({
    OnDemand: z
      .record(
        z.string(),
        z.object({
          priceDimensions: z.record(z.string(), z.object({ unit: z.string(), pricePerUnit: z.object({ USD: z.string().optional() }) })),
        }),
      )
      .optional(),
  }),
});

/** Hours of a month by which AWS turns a price per month into one per hour: https://aws.amazon.com/ebs/pricing/ reckons with 730. */
const hoursOfMonth = 730;

export interface CatalogAnswers {
  readonly types: readonly InstanceTypeInfo[];
  /** By availability zone. */
  readonly offerings: readonly InstanceTypeOffering[];
  readonly spot: readonly SpotPrice[];
  /** Products of the price list, each a JSON text. */
  readonly onDemand: readonly string[];
  /** Share of spot machines taken back, by type. */
  readonly reclaimed?: ReadonlyMap<string, number>;
}

/** Every type of today that Linux of ours runs on and that can be had by the hour, by name. */
export function catalogEntries(
  region: string,
  { types, offerings, spot, onDemand, reclaimed = new Map() }: CatalogAnswers,
): CatalogEntry[] {
  const zones = zonesByType(offerings, region);
  const hourly = onDemandPrices(onDemand);
  const spotPrices = newestSpotPrices(spot);
  return types
    .flatMap((type): CatalogEntry[] => {
      const name = type.InstanceType;
      const arch = archOf(type);
      const sold = type.SupportedUsageClasses ?? [];
      const [cpu, memory] = [type.VCpuInfo?.DefaultVCpus, type.MemoryInfo?.SizeInMiB];
      const isUsable = type.CurrentGeneration === true && (type.SupportedRootDeviceTypes ?? ["ebs"]).includes("ebs");
      if (name === undefined || arch === undefined || cpu === undefined || memory === undefined || !isUsable) return [];
      // Some are sold as reserved blocks of days only.
      if (!sold.includes("on-demand") && !sold.includes("spot")) return [];
      const soldIn = zones.get(name) ?? [];
      const price = sold.includes("on-demand") ? hourly.get(name) : undefined;
      const quotaFamily = quotaFamilyOf(name);
      const takenBack = reclaimed.get(name);
      const spotOf = sold.includes("spot") ? (spotPrices.get(name) ?? {}) : {};
      return [
        {
          instanceType: name,
          region,
          zones: soldIn,
          arch,
          cpu: cpu * 1000,
          memory,
          gpus: (type.GpuInfo?.Gpus ?? []).flatMap(gpuOf),
          isBareMetal: type.BareMetal === true,
          isBurstable: type.BurstablePerformanceSupported === true,
          spot: Object.fromEntries(Object.entries(spotOf).filter(([zone]) => soldIn.includes(zone))),
          ...(takenBack === undefined ? {} : { reclaimed: takenBack }),
          ...(quotaFamily === undefined ? {} : { quotaFamily }),
          ...(price === undefined ? {} : { onDemand: price }),
        },
      ];
    })
    .toSorted((a, b) => (a.instanceType < b.instanceType ? -1 : 1));
}

/** USD/hour of one GiB of gp3; undefined where the price list says none. */
export function diskPrice(products: readonly string[]): number | undefined {
  const monthly = products.flatMap((text) => usdOf(product.parse(JSON.parse(text)), "GB-Mo"));
  return monthly.length === 0 ? undefined : Math.max(...monthly) / hoursOfMonth;
}

/** USD/hour by type. Of two for one type the dearer counts: a budget may be left over, but not overrun. */
function onDemandPrices(products: readonly string[]): Map<string, number> {
  const prices = new Map<string, number>();
  for (const text of products) {
    const one = product.parse(JSON.parse(text));
    const { instanceType, marketoption = "OnDemand", locationType = "AWS Region" } = one.product.attributes;
    if (instanceType === undefined || marketoption !== "OnDemand" || locationType !== "AWS Region") continue;
    for (const usd of usdOf(one, "Hrs")) prices.set(instanceType, Math.max(usd, prices.get(instanceType) ?? 0));
  }
  return prices;
}

/** Prices of nothing stand for what can't be bought so. */
function usdOf({ terms }: z.infer<typeof product>, unit: string): number[] {
  return Object.values(terms.OnDemand ?? {}).flatMap(({ priceDimensions }) =>
    Object.values(priceDimensions).flatMap((dimension) => {
      const usd = Number(dimension.pricePerUnit.USD ?? "");
      return dimension.unit === unit && usd > 0 ? [usd] : [];
    }),
  );
}

/** The region's own zones; a local zone has prices of its own, and no subnet of ours. */
function zonesByType(offerings: readonly InstanceTypeOffering[], region: string): Map<string, string[]> {
  const zones = new Map<string, string[]>();
  for (const { InstanceType: type, Location: zone } of offerings) {
    if (type === undefined || zone === undefined || !isPlainZone(zone, region)) continue;
    zones.set(type, [...(zones.get(type) ?? []), zone].toSorted());
  }
  return zones;
}

/** USD/hour by type and zone. The history begins with the price that held at its start, so there may be several of one. */
function newestSpotPrices(history: readonly SpotPrice[]): Map<string, Record<string, number>> {
  const prices = new Map<string, Record<string, number>>();
  const inOrder = history.toSorted((a, b) => (a.Timestamp?.getTime() ?? 0) - (b.Timestamp?.getTime() ?? 0));
  for (const { InstanceType: type, AvailabilityZone: zone, SpotPrice: text } of inOrder) {
    const usd = Number(text ?? "");
    if (type === undefined || zone === undefined || !(usd > 0)) continue;
    prices.set(type, { ...prices.get(type), [zone]: usd });
  }
  return prices;
}

/** Undefined for what our Linux does not run on: Macs and 32 bits. */
function archOf({ ProcessorInfo }: InstanceTypeInfo): CatalogEntry["arch"] | undefined {
  const architectures = ProcessorInfo?.SupportedArchitectures ?? [];
  if (architectures.includes("x86_64")) return "x64";
  return architectures.includes("arm64") ? "arm64" : undefined;
}

/** AWS leaves out of a GPU's name what the driver on the machine tells; by its memory it is clear. */
const driverNames: Readonly<Record<string, string>> = {
  "v100 16384": "v100-sxm2-16gb",
  "v100 32768": "v100-sxm2-32gb",
  "a100 40960": "a100-sxm4-40gb",
  "a100 81920": "a100-sxm4-80gb",
  "h100 81920": "h100-80gb-hbm3",
};

/** As a node tells its GPUs: lower case, dashes, without the maker. A part of one (count 0) no task can ask for. */
function gpuOf({ Name = "", Count = 0, Manufacturer = "", MemoryInfo }: GpuDeviceInfo): CatalogEntry["gpus"][number][] {
  if (Count < 1) return [];
  const plain = Name.toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^(nvidia-)?(tesla-)?/, "")
    .replaceAll(/^-|-$/g, "");
  const maker = Manufacturer.toLowerCase();
  const model = maker === "nvidia" ? (driverNames[`${plain} ${MemoryInfo?.SizeInMiB ?? 0}`] ?? plain) : `${maker}-${plain}`;
  return [{ model: model.slice(0, 63), count: Count }];
}
