/** What AWS sells in a region right now, and for how much. */
import type { EC2Client, Instance, InstanceTypeInfo, InstanceTypeOffering, SpotPrice } from "@aws-sdk/client-ec2";
import { cancelled, describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { Catalog } from "../provider.ts";
import { catalogEntries, diskPrice } from "./catalog-entries.ts";
import { allOf, ec2Of, requestHandler } from "./client.ts";
import { asSpillwayError } from "./problem.ts";
import { publicAddressHourly } from "./public-address.ts";
import { ec2Quotas } from "./service-quotas.ts";
import { spotReclaims } from "./spot-advisor.ts";
import { freeVcpus, runningVcpus } from "./vcpu-quotas.ts";

/** Where the price list of every region is asked for: https://docs.aws.amazon.com/general/latest/gr/billing.html */
const pricingRegion = "us-east-1";

/**
 * Asks for types, zones, spot prices, how often they are taken back, the price list, quotas and what is in use of them, all at once; some thirty calls. Whoever
 * asks needs `ec2:DescribeInstanceTypes`, `ec2:DescribeInstanceTypeOfferings`, `ec2:DescribeSpotPriceHistory` and
 * `pricing:GetProducts`; for quotas `servicequotas:ListServiceQuotas` and `ec2:DescribeInstances`. Who may not read those may still
 * buy: the catalog says that they are unknown, and why.
 *
 * Throws `cloud-…`, `cancelled`, and `cloud-price-missing` where the region has no price for disks.
 */
export async function fetchAwsCatalog(region: string, signal?: AbortSignal): Promise<Catalog> {
  const fetchedAt = Date.now();
  try {
    const client = await ec2Of(region);
    const asked = typesOf(client, signal);
    const [types, offerings, spot, onDemand, disks, quota, reclaims] = await Promise.all([
      asked,
      offeringsOf(client, signal),
      spotOf(client, new Date(fetchedAt), signal),
      productsOf({ ...linuxOnDemand, regionCode: region }, signal),
      productsOf({ productFamily: "Storage", volumeApiName: "gp3", regionCode: region }, signal),
      quotaOf(region, client, asked, signal),
      reclaimsOf(region, signal),
    ]);
    const diskGiB = diskPrice(disks);
    if (diskGiB === undefined) {
      throw new SpillwayError("AWS' price list has no price for gp3 disks there", {
        code: "cloud-price-missing",
        where: `AWS ${region}`,
        hint: "Look whether that is a region's name (aws ec2 describe-regions), and one that is billed in USD.",
      });
    }
    const { reclaimsUnknown, reclaimed } = reclaims;
    const entries = catalogEntries(region, { types, offerings, spot, onDemand, reclaimed });
    return {
      provider: "aws",
      region,
      fetchedAt,
      diskGiB,
      publicAddress: publicAddressHourly,
      entries,
      ...quota,
      ...(reclaimsUnknown === undefined ? {} : { reclaimsUnknown }),
    };
  } catch (error) {
    if (signal?.aborted === true) throw cancelled(`prices of AWS ${region}`);
    throw asSpillwayError(error, `prices of AWS ${region}`);
  }
}

/** Linux without a licence, on hardware that is shared, that is neither reserved nor left idle. */
const linuxOnDemand = { operatingSystem: "Linux", preInstalledSw: "NA", tenancy: "Shared", capacitystatus: "Used" };

async function typesOf(client: EC2Client, abortSignal: AbortSignal | undefined): Promise<InstanceTypeInfo[]> {
  const { paginateDescribeInstanceTypes } = await import("@aws-sdk/client-ec2");
  return allOf(paginateDescribeInstanceTypes({ client, pageSize: 100 }, {}, { abortSignal }), (page) => page.InstanceTypes);
}

async function offeringsOf(client: EC2Client, abortSignal: AbortSignal | undefined): Promise<InstanceTypeOffering[]> {
  const { paginateDescribeInstanceTypeOfferings } = await import("@aws-sdk/client-ec2");
  const pages = paginateDescribeInstanceTypeOfferings({ client, pageSize: 1000 }, { LocationType: "availability-zone" }, { abortSignal });
  return allOf(pages, (page) => page.InstanceTypeOfferings);
}

async function quotaOf(
  region: string,
  client: EC2Client,
  types: Promise<InstanceTypeInfo[]>,
  signal: AbortSignal | undefined,
): Promise<Pick<Catalog, "quota" | "quotaUnknown">> {
  try {
    const [limits, instances, known] = await Promise.all([ec2Quotas(region, signal), startedInstances(client, signal), types]);
    return { quota: freeVcpus(limits, runningVcpus(instances, known)) };
  } catch (error) {
    if (signal?.aborted === true) throw error;
    return { quotaUnknown: asSpillwayError(error, `quotas of AWS ${region}`).message };
  }
}

async function reclaimsOf(
  region: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly reclaimed: ReadonlyMap<string, number>; readonly reclaimsUnknown?: string }> {
  try {
    return { reclaimed: await spotReclaims(region, signal) };
  } catch (error) {
    if (signal?.aborted === true) throw error;
    return { reclaimed: new Map(), reclaimsUnknown: describeError(error) };
  }
}

/** Everybody's, not only ours: the quota is the account's. Those that are about to run count, since they soon do. */
async function startedInstances(client: EC2Client, abortSignal: AbortSignal | undefined): Promise<Instance[]> {
  const { paginateDescribeInstances } = await import("@aws-sdk/client-ec2");
  const query = { Filters: [{ Name: "instance-state-name", Values: ["pending", "running"] }] };
  const pages = paginateDescribeInstances({ client, pageSize: 1000 }, query, { abortSignal });
  return allOf(pages, (page) => page.Reservations?.flatMap(({ Instances = [] }) => Instances));
}

/** A history that begins and ends now is the price that holds now. */
async function spotOf(client: EC2Client, now: Date, abortSignal: AbortSignal | undefined): Promise<SpotPrice[]> {
  const { paginateDescribeSpotPriceHistory } = await import("@aws-sdk/client-ec2");
  const query = { ProductDescriptions: ["Linux/UNIX"], StartTime: now, EndTime: now };
  return allOf(paginateDescribeSpotPriceHistory({ client, pageSize: 1000 }, query, { abortSignal }), (page) => page.SpotPriceHistory);
}

/** Products of the price list that have these attributes, each a JSON text. */
async function productsOf(attributes: Readonly<Record<string, string>>, abortSignal: AbortSignal | undefined): Promise<string[]> {
  const { paginateGetProducts, PricingClient } = await import("@aws-sdk/client-pricing");
  const client = new PricingClient({
    region: pricingRegion,
    maxAttempts: 6,
    requestHandler,
  });
  try {
    const Filters = Object.entries(attributes).map(([Field, Value]) => ({ Type: "TERM_MATCH" as const, Field, Value }));
    const pages = paginateGetProducts(
      { client, pageSize: 100 },
      { ServiceCode: "AmazonEC2", FormatVersion: "aws_v1", Filters },
      { abortSignal },
    );
    return await allOf(pages, (page) => page.PriceList?.map(String));
  } finally {
    client.destroy();
  }
}
