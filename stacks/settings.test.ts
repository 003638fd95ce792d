import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { machineNames } from "./machine-names.ts";
import { environmentSettings, parseSettings } from "./settings.ts";
import { cloneDirectory, programDirectory } from "./state-layout.ts";

const good = { masters: { pool: "m" }, pools: { m: { provider: "local", count: 3 } } };

function messageOf(value: unknown, text?: string): string {
  try {
    parseSettings(value, text === undefined ? undefined : { file: "Pulumi.x.yaml", text, at: ["config", "spillway:environment"] });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("it was accepted");
}

it("fills in what is left out, in millicores, MiB and ms", () => {
  const settings = parseSettings(good);
  expect(settings.pools.m).toMatchObject({ count: 3, cpu: 2000, memory: 4096, disk: 10_240, node: "link" });
  expect(settings.heartbeat).toEqual({ heartbeatIntervalMs: 1000, suspectAfterMs: 5000, disconnectedAfterMs: 15_000, lostAfterMs: 60_000 });
  expect(settings.masters.reserve).toEqual({ cpu: 500, memory: 512, disk: 0, gpus: [] });
});

it("accepts the template of the environment local", () => {
  const template = parse(readFileSync(join(programDirectory, "local.template.yaml"), "utf8"));
  const settings = parseSettings(template.config["spillway:environment"]);
  expect(machineNames(settings)).toEqual([
    { name: "m-1", pool: "m" },
    { name: "m-2", pool: "m" },
    { name: "m-3", pool: "m" },
  ]);
});

it("names the field and the line, and suggests the key that was meant", () => {
  const text =
    "config:\n  spillway:environment:\n    masters: { pool: m }\n    pools:\n      m:\n        provider: local\n        memroy: 4Gi\n";
  expect(messageOf(parse(text).config["spillway:environment"], text)).toBe(
    'pools.m.memroy: there is no such key. Did you mean "memory"?  (line 7)',
  );
});

it("lists the keys there are when nothing is near", () => {
  expect(messageOf({ ...good, zzzzzzzz: 1 })).toBe("zzzzzzzz: there is no such key; there are: masters, pools, heartbeat");
});

it("refuses what a later version will have, instead of ignoring it", () => {
  const value = { ...good, burst: {}, pools: { m: { provider: "local" }, rack: { provider: "ssh", hosts: [] } } };
  expect(messageOf(value).split("\n")).toEqual([
    "burst: not available in this version",
    "pools.rack.provider: not available in this version",
  ]);
});

it("says how a quantity is written", () => {
  expect(messageOf({ ...good, pools: { m: { provider: "local", memory: 4 } } })).toMatch(
    /^pools\.m\.memory: "4" is not an amount of memory/,
  );
});

it("refuses a master's pool that does not exist", () => {
  expect(messageOf({ ...good, masters: { pool: "rack" } })).toBe('masters.pool: there is no node pool "rack"; there are: m');
});

it("refuses to keep back more than the master's machine has", () => {
  const value = { masters: { pool: "m", reserve: { cpu: 4 } }, pools: { m: { provider: "local", cpu: 2 } } };
  expect(messageOf(value)).toBe('masters.reserve: keeps back more cpu than a machine of pool "m" has');
});

it("refuses timers that do not grow", () => {
  expect(messageOf({ ...good, heartbeat: { suspectAfter: "20s" } })).toMatch(/^heartbeat: must grow/);
});

it("never fails with anything but a readable error, whatever it is given", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      try {
        parseSettings(value);
      } catch (error) {
        expect(error).toMatchObject({ code: "settings" });
      }
    }),
  );
});

it("accepts the example of the reference, and the reference names every key", () => {
  const reference = readFileSync(join(cloneDirectory, "docs/settings.md"), "utf8");
  const example = parse(/```yaml\n([\s\S]*?)```/.exec(reference)?.[1] ?? "").config["spillway:environment"];
  expect(parseSettings(example).pools.m?.labels).toEqual({ rack: "a" });
  const schema = z.toJSONSchema(environmentSettings, { io: "input", unrepresentable: "any" });
  for (const key of keysOf(schema)) expect(reference, `docs/settings.md lacks ${key}`).toContain(`${key}:`);
});

/** Every key a user may write, at any depth. */
function keysOf(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const { properties, additionalProperties } = schema as { properties?: Record<string, unknown>; additionalProperties?: unknown };
  const own = Object.entries(properties ?? {}).flatMap(([key, inner]) => [key, ...keysOf(inner)]);
  return [...own, ...keysOf(additionalProperties)];
}
