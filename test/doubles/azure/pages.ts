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
