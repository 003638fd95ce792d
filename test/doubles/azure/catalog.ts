/**
 * What this Azure sells, in one region: a few sizes, what they cost, and how much of them the subscription may take. Forms: "Resource
 * Skus - List" and "Usage - List" of the REST reference of Microsoft.Compute, and "Azure Retail Prices overview".
 */

import type { EvictionRate } from "./pages.ts";

export interface ArmCatalog {
  readonly sizes: readonly object[];
  readonly usages: readonly object[];
  readonly prices: readonly Record<string, unknown>[];
  readonly evictions: readonly EvictionRate[];
}

const catalogLocation = "westeurope";

interface Sold {
  readonly name: string;
  readonly family: string;
  readonly product: string;
  readonly cpus: number;
  readonly memoryGb: number;
  readonly arch: "x64" | "Arm64";
  /** USD/hour. */
  readonly hourly: number;
}

/** Prices on demand: Azure's list for West Europe as of 2026-06, Linux. */
const sold: readonly Sold[] = [
  { name: "Standard_D2s_v5", family: "standardDSv5Family", product: "Dsv5", cpus: 2, memoryGb: 8, arch: "x64", hourly: 0.115 },
  { name: "Standard_D4s_v5", family: "standardDSv5Family", product: "Dsv5", cpus: 4, memoryGb: 16, arch: "x64", hourly: 0.23 },
  { name: "Standard_D2as_v5", family: "standardDASv5Family", product: "Dasv5", cpus: 2, memoryGb: 8, arch: "x64", hourly: 0.104 },
  { name: "Standard_E2s_v5", family: "standardESv5Family", product: "Esv5", cpus: 2, memoryGb: 16, arch: "x64", hourly: 0.152 },
  { name: "Standard_D2ps_v6", family: "standardDPSv6Family", product: "Dpsv6", cpus: 2, memoryGb: 8, arch: "Arm64", hourly: 0.0838 },
];
/** Of the price on demand: the double's own, since spot's moves. */
const spotShare = 0.2;
/** USD/month of a Standard SSD of 128 GiB, and USD/hour of a static public address ("Managed Disks pricing", "IP Addresses pricing"). */
const diskMonthly = 9.6;
const addressHourly = 0.005;

export const catalog: ArmCatalog = {
  sizes: sold.map(({ name, family, cpus, memoryGb, arch }) => ({
    resourceType: "virtualMachines",
    name,
    tier: "Standard",
    family,
    locations: [catalogLocation],
    locationInfo: [{ location: catalogLocation, zones: ["1", "2", "3"] }],
    capabilities: Object.entries({
      vCPUs: String(cpus),
      MemoryGB: String(memoryGb),
      HyperVGenerations: arch === "x64" ? "V1,V2" : "V2",
      CpuArchitectureType: arch,
      LowPriorityCapable: "True",
    }).map(([key, value]) => ({ name: key, value })),
    restrictions: [],
  })),
  usages: [
    usage("cores", "Total Regional vCPUs"),
    usage("lowPriorityCores", "Total Regional Low-priority vCPUs"),
    ...[...new Set(sold.map(({ family }) => family))].map((family) => usage(family, family)),
  ],
  prices: [
    ...sold.flatMap(({ name, product, hourly }) => {
      const sku = name.replace("Standard_", "").replaceAll("_", " ");
      const more = { armSkuName: name, productName: `Virtual Machines ${product} Series`, serviceName: "Virtual Machines" };
      return [
        price({ ...more, skuName: sku, meterName: sku, retailPrice: hourly }),
        price({ ...more, skuName: `${sku} Spot`, meterName: `${sku} Spot`, retailPrice: Number((hourly * spotShare).toFixed(6)) }),
      ];
    }),
    price({
      serviceName: "Storage",
      productName: "Standard SSD Managed Disks",
      skuName: "E10 LRS",
      meterName: "E10 LRS Disk",
      retailPrice: diskMonthly,
      unitOfMeasure: "1/Month",
    }),
    price({
      serviceName: "Virtual Network",
      productName: "IP Addresses",
      skuName: "Standard",
      meterName: "Standard IPv4 Static Public IP",
      retailPrice: addressHourly,
    }),
  ],
  evictions: sold.map(({ name }) => ({ size: name.toLowerCase(), location: catalogLocation, rate: "0-5" })),
};

function usage(value: string, localizedValue: string): object {
  return { unit: "Count", currentValue: 0, limit: 100, name: { value, localizedValue } };
}

function price(line: { readonly retailPrice: number } & Record<string, unknown>): Record<string, unknown> {
  return {
    currencyCode: "USD",
    tierMinimumUnits: 0,
    unitPrice: line.retailPrice,
    armRegionName: catalogLocation,
    armSkuName: "",
    unitOfMeasure: "1 Hour",
    type: "Consumption",
    ...line,
  };
}
