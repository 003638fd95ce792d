/** The way to a region's EC2, by whatever credentials the SDK finds: environment, profile, SSO, role. */
import type { EC2 } from "@aws-sdk/client-ec2";
import { asSpillwayError } from "./problem.ts";

/** The SDK's own retries of what is throttled or broken off; with its jitter and back-off some 20 s in all. */
const attempts = 6;
/**
 * ms. A connection that is not there by then never comes; an answer takes seconds at most. Without the last word the SDK only
 * warns, and waits for ever.
 */
export const requestHandler = { connectionTimeout: 5000, requestTimeout: 60_000, throwOnRequestTimeout: true };

const clients = new Map<string, Promise<EC2>>();

/**
 * One client per region for the life of the process. Its SDK is loaded with the first one: it takes half a second, which
 * who uses no AWS does not pay. AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_EC2 lead elsewhere.
 */
export function ec2Of(region: string): Promise<EC2> {
  const key = [region, process.env.AWS_ENDPOINT_URL_EC2 ?? process.env.AWS_ENDPOINT_URL ?? ""].join(" ");
  const client = clients.get(key) ?? newClient(region);
  clients.set(key, client);
  return client;
}

async function newClient(region: string): Promise<EC2> {
  const sdk = await import("@aws-sdk/client-ec2");
  return new sdk.EC2({ region, maxAttempts: attempts, requestHandler });
}

/** Asks a region; whatever AWS throws becomes a SpillwayError that says what to do. */
export async function askRegion<T>(region: string, where: string, ask: (ec2: EC2) => Promise<T>): Promise<T> {
  try {
    return await ask(await ec2Of(region));
  } catch (error) {
    throw asSpillwayError(error, where);
  }
}

/** All items of all pages. */
export async function allOf<Page, Item>(pages: AsyncIterable<Page>, itemsOf: (page: Page) => readonly Item[] | undefined): Promise<Item[]> {
  const items: Item[] = [];
  for await (const page of pages) items.push(...(itemsOf(page) ?? []));
  return items;
}
