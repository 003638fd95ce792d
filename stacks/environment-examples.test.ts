import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { breachesOf } from "./guard-rails.ts";
import { parseSettings } from "./settings.ts";
import { settingsFile } from "./state-layout.ts";

const settingsOf = (environment: string) =>
  parseSettings(parse(readFileSync(settingsFile(environment), "utf8")).config["spillway:environment"]);

it.each(["dev", "prod"])(
  "the settings of %s to start from are accepted with every guard rail on, and may cost money only up to a cap",
  (name) => {
    const settings = settingsOf(name);
    expect(breachesOf(settings)).toEqual([]);
    expect(settings.guards.override).toEqual({});
    expect(settings.guards.regions).toBeDefined();
    expect(settings.burst?.policy.budget).toMatchObject({
      perHour: expect.any(Number),
      perDay: expect.any(Number),
      perMonth: expect.any(Number),
    });
  },
);

it("prod has a rack and both clouds", () => {
  const { pools, burst } = settingsOf("prod");
  expect(Object.values(pools).map(({ provider }) => provider)).toEqual(["ssh", "aws"]);
  expect(Object.values(burst?.pools ?? {}).map(({ provider }) => provider)).toEqual(["aws", "azure"]);
});

it.each(["dev", "prod"])("every address in the settings of %s is one for documentation (RFC 5737)", (name) => {
  const addresses = readFileSync(settingsFile(name), "utf8").match(/\b\d{1,3}(\.\d{1,3}){3}\b/g) ?? [];
  expect(addresses.length).toBeGreaterThan(0);
  for (const address of addresses) expect(address).toMatch(/^(192\.0\.2|198\.51\.100|203\.0\.113)\./);
});
