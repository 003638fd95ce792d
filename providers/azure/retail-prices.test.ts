import { describe, expect, it } from "vitest";
import { addressHourly, diskGiBHourly, type PriceItem, priceFilters, sizePrices } from "./retail-prices.ts";

/** A line in the form of the list's own page. */
function line(more: Partial<PriceItem>): PriceItem {
  return {
    armSkuName: "Standard_D2s_v5",
    armRegionName: "westeurope",
    meterName: "D2s v5",
    skuName: "D2s v5",
    productName: "Virtual Machines Dsv5 Series",
    unitOfMeasure: "1 Hour",
    retailPrice: 0.115,
    tierMinimumUnits: 0,
    type: "Consumption",
    ...more,
  };
}

describe("the prices of sizes", () => {
  it("are those of Linux, on demand and spot", () => {
    const { onDemand, spot } = sizePrices([
      line({}),
      line({ skuName: "D2s v5 Spot", meterName: "D2s v5 Spot", retailPrice: 0.0135 }),
      line({ skuName: "D2s v5 Low Priority", retailPrice: 0.023 }),
      line({ productName: "Virtual Machines Dsv5 Series Windows", retailPrice: 0.207 }),
      line({ productName: "Dsv5 Series Cloud Services", retailPrice: 0.3 }),
      line({ type: "Reservation", unitOfMeasure: "1 Hour", retailPrice: 591 }),
      line({ type: "DevTestConsumption", retailPrice: 0.01 }),
      line({ armSkuName: "", retailPrice: 9 }),
    ]);
    expect([...onDemand]).toEqual([["Standard_D2s_v5", 0.115]]);
    expect([...spot]).toEqual([["Standard_D2s_v5", 0.0135]]);
  });

  it("are the dearer of two meters, and never nothing", () => {
    const { onDemand, spot } = sizePrices([line({ retailPrice: 0.12 }), line({}), line({ skuName: "D2s v5 Spot", retailPrice: 0 })]);
    expect(onDemand.get("Standard_D2s_v5")).toBe(0.12);
    expect(spot.size).toBe(0);
  });
});

describe("the price of a disk", () => {
  const disk = (tier: string, retailPrice: number, meter = `${tier} LRS Disk`) =>
    line({ productName: "Standard SSD Managed Disks", skuName: `${tier} LRS`, meterName: meter, unitOfMeasure: "1/Month", retailPrice });

  it("is the dearest GiB of the tiers, by the hour", () => {
    const items = [disk("E4", 2.4), disk("E10", 10), disk("E10", 99, "E10 LRS Disk Mount"), disk("E10", 50, "E10 ZRS Disk"), disk("E1", 3)];
    expect(diskGiBHourly(items)).toBeCloseTo(10 / 128 / 730, 10);
  });

  it("is unknown when the list has none", () => {
    expect(diskGiBHourly([line({})])).toBeUndefined();
  });
});

describe("the price of an address", () => {
  const address = (armRegionName: string, retailPrice: number, meterName = "Standard IPv4 Static Public IP") =>
    line({ armSkuName: "", armRegionName, productName: "IP Addresses", skuName: "Standard", meterName, retailPrice });

  it("is the region's own, else the one for all regions", () => {
    const items = [address("westeurope", 0.006), address("", 0.005), address("westeurope", 1, "Global IPv4 Static Public IP")];
    expect(addressHourly(items, "westeurope")).toBe(0.006);
    expect(addressHourly(items, "eastus")).toBe(0.005);
    expect(addressHourly([address("northeurope", 0.004)], "eastus")).toBeUndefined();
  });
});

it("the list is asked for one region's lines only", () => {
  expect(priceFilters("westeurope").sizes).toBe(
    "serviceName eq 'Virtual Machines' and armRegionName eq 'westeurope' and priceType eq 'Consumption'",
  );
});
