/** Lists in pages, each of which names the next. */
import { equalities } from "./odata.ts";
import type { ArmAnswer } from "./resources.ts";

/** As Azure Resource Manager pages: `value` and `nextLink`. */
export function pageOf(url: string, items: readonly object[], query: URLSearchParams, pageSize: number): ArmAnswer {
  const from = Number(query.get("$skiptoken") ?? 0);
  const next = new URLSearchParams(query);
  next.set("$skiptoken", String(from + pageSize));
  const more = from + pageSize < items.length ? { nextLink: `${url}?${next.toString()}` } : {};
  return { status: 200, body: { value: items.slice(from, from + pageSize), ...more } };
}

/** A row of the table `spotresources` ("Azure Spot Virtual Machines"); the size in lower case, as the table has it. */
export interface EvictionRate {
  readonly size: string;
  readonly location: string;
  readonly rate: "0-5" | "5-10" | "10-15" | "15-20" | "20+";
}

/** As Azure Resource Graph answers a query ("Resources - Resources"), for the one that is asked of it here; undefined for another. */
export function evictionPage(
  rates: readonly EvictionRate[],
  { query, options = {} }: { readonly query: string; readonly options?: { readonly $skipToken?: string; readonly resultFormat?: string } },
  pageSize: number,
): ArmAnswer | undefined {
  const [, place] =
    /^spotresources \| where type =~ 'microsoft.compute\/skuspotevictionrate\/location' and location =~ '(\w+)'/.exec(query) ?? [];
  if (place === undefined || options.resultFormat !== "objectArray") return undefined;
  const rows = rates.filter(({ location }) => location === place).map(({ size, rate }) => ({ size, rate }));
  const from = Number(options.$skipToken ?? 0);
  const data = rows.slice(from, from + pageSize);
  const more = from + pageSize < rows.length ? { $skipToken: String(from + pageSize) } : {};
  return { status: 200, body: { totalRecords: rows.length, count: data.length, resultTruncated: "false", ...more, data, facets: [] } };
}

/** Of the retail price list ("Azure Retail Prices overview"). */
export function pricePage(url: string, prices: readonly Record<string, unknown>[], query: URLSearchParams, pageSize: number): ArmAnswer {
  const names = { serviceName: "serviceName", productName: "productName", armRegionName: "armRegionName", priceType: "type" } as const;
  const wanted = equalities(query.get("$filter"), Object.keys(names)) as [keyof typeof names, string][];
  const items = prices.filter((line) => wanted.every(([name, value]) => line[names[name]] === value));
  const from = Number(query.get("$skip") ?? 0);
  const next = new URLSearchParams(query);
  next.set("$skip", String(from + pageSize));
  const NextPageLink = from + pageSize < items.length ? `${url}?${next.toString()}` : null;
  const Items = items.slice(from, from + pageSize);
  return {
    status: 200,
    body: { BillingCurrency: "USD", CustomerEntityId: "Default", CustomerEntityType: "Retail", Items, NextPageLink, Count: Items.length },
  };
}
