import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { burstCeiling, ceilingText } from "./burst-ceiling.ts";
import { parseSettings } from "./settings.ts";
import { aCatalog, bursting, buying } from "./testing/cloud-pools.ts";

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

describe("of machines in clouds", () => {
  let cache = "";
  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), "spillway-prices-"));
    vi.stubEnv("SPILLWAY_CACHE", cache);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(cache, { recursive: true, force: true });
  });
  const ceiling = (budget: object, over: object = {}) => {
    const { burst } = parseSettings(bursting({ cloud: buying(over) }));
    if (burst === undefined) throw new Error("it has no bursts");
    return ceilingText(burstCeiling({ ...burst, policy: { ...burst.policy, maxNodes: 2, budget: { ...budget, zone: "UTC" } } }));
  };

  it("is what the dearest offers cost, where the prices are known on this computer", () => {
    mkdirSync(join(cache, "prices"));
    writeFileSync(join(cache, "prices", "aws-eu-central-1.json"), JSON.stringify(aCatalog()));
    // On demand 0.12, the disk 0.002 and the address 0.005, twice.
    expect(ceiling({ perHour: 9 })).toBe("bursts may add up to 2 machines, at most $0.254/hour");
  });

  it("is the budget, and never nothing, where they are not", () => {
    expect(ceiling({ perHour: 9, perDay: 50 })).toBe("bursts may add up to 2 machines, at most $9.00/hour · $50.00/day");
    expect(ceiling({ perDay: 50 })).toBe("bursts may add up to 2 machines, at most $50.00/day");
  });

  it("is not taken for known when one of the regions is not", () => {
    mkdirSync(join(cache, "prices"));
    writeFileSync(join(cache, "prices", "aws-eu-central-1.json"), JSON.stringify(aCatalog()));
    expect(ceiling({ perDay: 50 }, { regions: ["eu-central-1", "us-east-1"] })).toBe("bursts may add up to 2 machines, at most $50.00/day");
  });
});
