import { expect, it } from "vitest";
import { burstCeiling, ceilingText } from "./burst-ceiling.ts";
import { parseSettings } from "./settings.ts";

const host = (address: string, hourly?: number) => ({ host: address, ...(hourly === undefined ? {} : { price: { hourly } }) });
const spare = (hosts: object[], over: object = {}) => ({ provider: "ssh", cpu: 4, memory: "8Gi", hosts, ...over });

function textOf(burst: object, provider: "local" | "ssh" = "local"): string {
  const pools = { m: provider === "local" ? { provider } : { provider, hosts: [host("192.0.2.1")] } };
  const settings = parseSettings({ masters: { pool: "m" }, pools, burst });
  if (settings.burst === undefined) throw new Error("it has no bursts");
  return ceilingText(burstCeiling(settings.burst));
}

it("is what all machines cost that may exist, where the budget allows more", () => {
  const pools = { overflow: { provider: "local", price: { hourly: 0.1 }, maxNodes: 4 } };
  expect(textOf({ pools, maxNodes: 10, budget: { perHour: 5 } })).toBe(
    "bursts may add up to 4 machines, at most $0.40/hour (pretend prices)",
  );
});

it("is the budget where that is less, and names every cap that is set", () => {
  const pools = { overflow: { provider: "local", price: { hourly: 1000 } } };
  expect(textOf({ pools, maxNodes: 3, budget: { perHour: 40, perDay: 300, perMonth: 4000 } })).toBe(
    "bursts may add up to 3 machines, at most $40.00/hour · $300.00/day · $4,000.00/month (pretend prices)",
  );
});

it("never names a day or a month that the machines could not even cost", () => {
  const pools = { overflow: { provider: "local", price: { hourly: 0.1 }, maxNodes: 1 } };
  expect(textOf({ pools, maxNodes: 3, budget: { perDay: 300, perMonth: 4000 } })).toBe(
    "bursts may add up to 1 machine, at most $0.10/hour · $2.50/day · $74.50/month (pretend prices)",
  );
});

it("counts the dearest hosts, by their owner's prices, which are not pretended", () => {
  const pools = { spare: spare([host("a", 0.5), host("b"), host("c", 0.25)], { price: { hourly: 0.3 } }) };
  expect(textOf({ pools, maxNodes: 2, budget: { perHour: 9 } }, "ssh")).toBe("bursts may add up to 2 machines, at most $0.80/hour");
});

it("leaves out pools that no rule uses", () => {
  const pools = { near: spare([host("a", 0.5)]), far: spare([host("b", 9)]) };
  const rules = [{ use: ["near"] }];
  expect(textOf({ pools, rules, maxNodes: 2, budget: { perHour: 90 } }, "ssh")).toBe("bursts may add up to 1 machine, at most $0.50/hour");
});

it("says so where none may be added", () => {
  expect(textOf({ pools: { overflow: { provider: "local" } }, maxNodes: 0, budget: { perHour: 9 } })).toBe("bursts may add no machine");
});
