/** What master and burster said to each other in former versions, and the stacks of bursts they left: this version still reads them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bursterReply, bursterReport, burstTelling, burstView, burstWork } from "../../agent/contract/burst-api.ts";
import { burstEvent } from "../../agent/contract/ledger.ts";
import { burstPlan } from "../../agent/contract/plan.ts";

const fixtures = join(import.meta.dirname, "../fixtures");
const schemas = { bursterReport, bursterReply, burstWork, burstView, burstPlan, burstTelling, burstEvent };
/** Versions before have no bursts. */
const versions = readdirSync(fixtures).filter((version) => existsSync(join(fixtures, version, "burst-stack-export.json")));

it("there is a version with samples", () => {
  expect(versions).not.toEqual([]);
});

describe.each(versions)("bursts of %s", (version) => {
  const samples = JSON.parse(readFileSync(join(fixtures, version, "wire.json"), "utf8")) as Record<string, unknown[]>;

  it.each(Object.keys(schemas) as (keyof typeof schemas)[])("%s is read as it was meant", (name) => {
    expect(samples[name]?.length).toBeGreaterThan(0);
    for (const sample of samples[name] ?? []) expect(schemas[name].parse(sample)).toMatchObject(sample as object);
  });

  it("no move of the ledger lacks a sample", () => {
    const types = burstEvent.options.map((option) => option.shape.type.value as string);
    expect((samples.burstEvent ?? []).map((sample) => (sample as { type: string }).type).toSorted()).toEqual(types.toSorted());
  });
});
