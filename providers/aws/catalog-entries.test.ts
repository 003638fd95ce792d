import type { InstanceTypeInfo } from "@aws-sdk/client-ec2";
import { expect, it } from "vitest";
import { type CatalogAnswers, catalogEntries, diskPrice } from "./catalog-entries.ts";

/** In the form of DescribeInstanceTypes. */
const type = (name: string, over: Partial<InstanceTypeInfo> = {}): InstanceTypeInfo => ({
  InstanceType: name as NonNullable<InstanceTypeInfo["InstanceType"]>,
  CurrentGeneration: true,
  SupportedUsageClasses: ["on-demand", "spot"],
  SupportedRootDeviceTypes: ["ebs"],
  BareMetal: false,
  Hypervisor: "nitro",
  ProcessorInfo: { SupportedArchitectures: ["x86_64"] },
  VCpuInfo: { DefaultVCpus: 2 },
  MemoryInfo: { SizeInMiB: 8192 },
  BurstablePerformanceSupported: false,
  ...over,
});
/** In the form of GetProducts. */
const priced = (instanceType: string, usd: string, attributes: Record<string, string> = {}) =>
  JSON.stringify({
    product: {
      productFamily: "Compute Instance",
      attributes: {
        instanceType,
        regionCode: "eu-central-1",
        tenancy: "Shared",
        locationType: "AWS Region",
        marketoption: "OnDemand",
        ...attributes,
      },
      sku: "22S4Y8GQXEXW4DRE",
    },
    serviceCode: "AmazonEC2",
    terms: {
      OnDemand: {
        "22S4Y8GQXEXW4DRE.JRTCKXETXF": {
          priceDimensions: {
            "22S4Y8GQXEXW4DRE.JRTCKXETXF.6YS6EN2CT7": {
              unit: "Hrs",
              pricePerUnit: { USD: usd },
              description: "per On Demand Linux instance hour",
            },
          },
          effectiveDate: "2024-01-01T00:00:00Z",
        },
      },
      Reserved: { "22S4Y8GQXEXW4DRE.NQ3QZPMQV9": { priceDimensions: {} } },
    },
  });
const sold = (InstanceType: string, ...zones: string[]) =>
  zones.map((Location) => ({ InstanceType, LocationType: "availability-zone", Location }));
const spotAt = (InstanceType: string, AvailabilityZone: string, SpotPrice: string, at: string) => ({
  InstanceType,
  AvailabilityZone,
  SpotPrice,
  ProductDescription: "Linux/UNIX",
  Timestamp: new Date(at),
});
const entries = (answers: { [K in keyof CatalogAnswers]?: unknown }) =>
  catalogEntries("eu-central-1", { types: [], offerings: [], spot: [], onDemand: [], ...answers } as CatalogAnswers);

it("tells a type with its size, its zones and its prices", () => {
  expect(
    entries({
      types: [type("m7i.large")],
      offerings: sold("m7i.large", "eu-central-1b", "eu-central-1a"),
      onDemand: [priced("m7i.large", "0.1207500000")],
      spot: [
        spotAt("m7i.large", "eu-central-1a", "0.043100", "2026-01-02T00:00:00Z"),
        spotAt("m7i.large", "eu-central-1a", "0.051000", "2026-01-01T00:00:00Z"),
        spotAt("m7i.large", "eu-central-1b", "0.048000", "2026-01-01T00:00:00Z"),
      ],
    }),
  ).toEqual([
    {
      instanceType: "m7i.large",
      region: "eu-central-1",
      zones: ["eu-central-1a", "eu-central-1b"],
      arch: "x64",
      cpu: 2000,
      memory: 8192,
      gpus: [],
      isBareMetal: false,
      isBurstable: false,
      quotaFamily: "Standard",
      onDemand: 0.12075,
      spot: { "eu-central-1a": 0.0431, "eu-central-1b": 0.048 },
    },
  ]);
});

it("leaves out what our Linux does not run on, what is old, and what is sold in blocks of days only", () => {
  const types = [
    type("mac2.metal", { ProcessorInfo: { SupportedArchitectures: ["arm64_mac"] } }),
    type("m3.large", { CurrentGeneration: false }),
    type("p6-b300.48xlarge", { SupportedUsageClasses: ["capacity-block"] }),
    type("c7g.large", { ProcessorInfo: { SupportedArchitectures: ["arm64"] } }),
  ];
  expect(entries({ types })).toMatchObject([{ instanceType: "c7g.large", arch: "arm64" }]);
});

it("gives no price of a market in which a type is not sold, and none in a zone that does not sell it", () => {
  const answers = {
    types: [type("only.spot", { SupportedUsageClasses: ["spot"] }), type("only.ondemand", { SupportedUsageClasses: ["on-demand"] })],
    offerings: [...sold("only.spot", "eu-central-1a", "eu-central-1-ham-1a"), ...sold("only.ondemand", "eu-central-1a")],
    onDemand: [priced("only.spot", "1"), priced("only.ondemand", "2")],
    spot: ["eu-central-1a", "eu-central-1b", "eu-central-1-ham-1a"].flatMap((zone) => [
      spotAt("only.spot", zone, "0.5", "2026-01-01T00:00:00Z"),
      spotAt("only.ondemand", zone, "0.5", "2026-01-01T00:00:00Z"),
    ]),
  };
  const [onDemand, spot] = entries(answers);
  expect(onDemand).toMatchObject({ instanceType: "only.ondemand", onDemand: 2, spot: {} });
  expect(spot).toMatchObject({ instanceType: "only.spot", zones: ["eu-central-1a"], spot: { "eu-central-1a": 0.5 } });
  expect(spot).not.toHaveProperty("onDemand");
  expect(spot?.spot).not.toHaveProperty("eu-central-1b");
});

it("takes the dearer of two prices for one type, and no price of nothing or of reserved blocks", () => {
  const onDemand = [
    priced("m7i.large", "0.1"),
    priced("m7i.large", "0.2"),
    priced("m7i.large", "9", { marketoption: "CapacityBlock" }),
    priced("m7i.large", "9", { locationType: "AWS Local Zone" }),
    priced("c7i.large", "0.0000000000"),
  ];
  const [c7i, m7i] = entries({ types: [type("m7i.large"), type("c7i.large")], onDemand });
  expect(m7i?.onDemand).toBe(0.2);
  expect(c7i).not.toHaveProperty("onDemand");
});

it.each([
  [{ Name: "T4", Manufacturer: "NVIDIA", Count: 1, MemoryInfo: { SizeInMiB: 16_384 } }, [{ model: "t4", count: 1 }]],
  [{ Name: "A10G", Manufacturer: "NVIDIA", Count: 8, MemoryInfo: { SizeInMiB: 22_888 } }, [{ model: "a10g", count: 8 }]],
  [{ Name: "A100", Manufacturer: "NVIDIA", Count: 8, MemoryInfo: { SizeInMiB: 40_960 } }, [{ model: "a100-sxm4-40gb", count: 8 }]],
  [{ Name: "H100", Manufacturer: "NVIDIA", Count: 8, MemoryInfo: { SizeInMiB: 81_920 } }, [{ model: "h100-80gb-hbm3", count: 8 }]],
  [
    { Name: "Radeon Pro V520", Manufacturer: "AMD", Count: 1, MemoryInfo: { SizeInMiB: 8192 } },
    [{ model: "amd-radeon-pro-v520", count: 1 }],
  ],
  [{ Name: "L4", Manufacturer: "NVIDIA", Count: 0, GpuPartitionSize: 0.125, MemoryInfo: { SizeInMiB: 2861 } }, []],
])("names GPUs as the driver on the machine will: %j", (gpu, gpus) => {
  expect(entries({ types: [type("g.large", { GpuInfo: { Gpus: [gpu] } })] })[0]?.gpus).toEqual(gpus);
});

it("knows whole hosts and lent CPU", () => {
  const types = [type("a.metal", { BareMetal: true }), type("t3.micro", { BurstablePerformanceSupported: true })];
  expect(entries({ types })).toMatchObject([
    { isBareMetal: true, isBurstable: false },
    { isBareMetal: false, isBurstable: true },
  ]);
});

it("turns a disk's price of a month into one of an hour", () => {
  const gp3 = JSON.stringify({
    product: { productFamily: "Storage", attributes: { volumeApiName: "gp3", regionCode: "us-east-1", usagetype: "EBS:VolumeUsage.gp3" } },
    terms: { OnDemand: { a: { priceDimensions: { b: { unit: "GB-Mo", pricePerUnit: { USD: "0.0800000000" } } } } } },
  });
  expect(diskPrice([gp3])).toBeCloseTo(0.08 / 730, 12);
  expect(diskPrice([])).toBeUndefined();
});
