/**
 * AWS' price list service (Price List Query API, GetProducts, protocol JSON 1.1) for tests: the prices of EC2 types in one
 * region, from the table that SPILLWAY_DATA names, else a small one of our own. Point AWS_ENDPOINT_URL_PRICING at it. Beside it the
 * list of the Spot Instance Advisor, which has no other service to stand with: all those types are seldom taken back.
 *
 * The form of an answer is that of the example in AWS' "Price List Query API" guide: `PriceList` is a list of JSON texts, each
 * with `product.attributes` and `terms.OnDemand.<sku.term>.priceDimensions.<…>.{unit,pricePerUnit.USD}`.
 */
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface PriceList {
  readonly url: string;
  /** For SPILLWAY_AWS_SPOT_ADVISOR. */
  readonly advisorUrl: string;
  stop(): Promise<void>;
}

interface Filter {
  readonly Field: string;
  readonly Value: string;
}

/** Checked against the price list of us-east-1 in 2026-07: USD/hour. */
const ownPrices: readonly [type: string, hourly: number][] = [
  ["m7i.large", 0.1008],
  ["m7i.xlarge", 0.2016],
  ["c7i.xlarge", 0.1785],
  ["r7i.large", 0.1323],
];
/** USD for a GiB and month of gp3 in us-east-1 (EBS pricing page). */
const gp3Monthly = 0.08;
const pageSize = 100;
const advisorPath = "/spot-advisor-data.json";

export async function startPriceList(region: string): Promise<PriceList> {
  const types = instancePrices();
  const server = createServer((request, response) => {
    if (request.url === advisorPath) {
      const seldom = Object.fromEntries(types.map(([type]) => [type, { s: 60, r: 0 }]));
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ spot_advisor: { [region]: { Linux: seldom } } }));
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const target = request.headers["x-amz-target"];
      const asked = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { Filters?: Filter[]; NextToken?: string; MaxResults?: number };
      const type = { "content-type": "application/x-amz-json-1.1" };
      if (target !== "AWSPriceListService.GetProducts") {
        response
          .writeHead(400, type)
          .end(JSON.stringify({ __type: "InvalidParameterException", Message: `the double knows no ${String(target)}` }));
        return;
      }
      const wanted = new Map((asked.Filters ?? []).map(({ Field, Value }) => [Field, Value]));
      const all = wanted.get("regionCode") === region ? products(wanted, region, types) : [];
      const from = Number(asked.NextToken ?? "0");
      const to = from + Math.min(asked.MaxResults ?? pageSize, pageSize);
      const next = to < all.length ? { NextToken: String(to) } : {};
      response.writeHead(200, type).end(JSON.stringify({ FormatVersion: "aws_v1", PriceList: all.slice(from, to), ...next }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    advisorUrl: `${url}${advisorPath}`,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function products(wanted: ReadonlyMap<string, string>, region: string, types: readonly [string, number][]): string[] {
  if (wanted.get("productFamily") === "Storage") {
    const attributes = { volumeApiName: "gp3", regionCode: region, servicecode: "AmazonEC2", usagetype: "EBS:VolumeUsage.gp3" };
    return wanted.get("volumeApiName") === "gp3" ? [product("Storage", "GP3SKU", attributes, "GB-Mo", gp3Monthly)] : [];
  }
  return types.map(([instanceType, hourly], index) => {
    const attributes = {
      instanceType,
      regionCode: region,
      servicecode: "AmazonEC2",
      operatingSystem: "Linux",
      preInstalledSw: "NA",
      tenancy: "Shared",
      capacitystatus: "Used",
    };
    return product("Compute Instance", `SKU${index}`, attributes, "Hrs", hourly);
  });
}

function product(productFamily: string, sku: string, attributes: Record<string, string>, unit: string, usd: number): string {
  // The codes of "on demand" and "per hour" are the same for all products.
  const [term, rate] = ["JRTCKXETXF", "6YS6EN2CT7"];
  const priceDimensions = {
    [`${sku}.${term}.${rate}`]: {
      unit,
      beginRange: "0",
      endRange: "Inf",
      pricePerUnit: { USD: usd.toFixed(10) },
      rateCode: `${sku}.${term}.${rate}`,
    },
  };
  const terms = {
    OnDemand: {
      [`${sku}.${term}`]: { offerTermCode: term, sku, effectiveDate: "2026-07-01T00:00:00Z", priceDimensions, termAttributes: {} },
    },
  };
  return JSON.stringify({
    product: { productFamily, attributes, sku },
    serviceCode: "AmazonEC2",
    terms,
    version: "20260720000000",
    publicationDate: "2026-07-20T00:00:00Z",
  });
}

function instancePrices(): [string, number][] {
  const file = join(process.env.SPILLWAY_DATA ?? "", "catalog_aws_us-east-1.csv");
  if (process.env.SPILLWAY_DATA === undefined || !existsSync(file)) return [...ownPrices];
  const [header = "", ...rows] = readFileSync(file, "utf8").trim().split("\n");
  const columns = header.split(",");
  const [type, price] = [columns.indexOf("instance_type"), columns.indexOf("on_demand_usd_h")];
  return rows.flatMap((row): [string, number][] => {
    const cells = row.split(",");
    const hourly = Number(cells[price]);
    return hourly > 0 ? [[cells[type] ?? "", hourly]] : [];
  });
}
