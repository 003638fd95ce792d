import { expect, test } from "vitest";
import type { Resources } from "../../contract/resources.ts";
import { aDeclaration } from "../testing/test-master.ts";
import { capacityOf } from "./pool.ts";
import type { NodeRecord } from "./records.ts";

const whole: Resources = { cpu: 4000, memory: 8192, disk: 100_000, gpus: [] };
const masters: Resources = { cpu: 500, memory: 512, disk: 0, gpus: [] };
const seen = { measured: whole } as NonNullable<NodeRecord["seen"]>;

function measured(fields: Partial<NodeRecord["declaration"]>) {
  const { capacity: _, ...declaration } = aDeclaration(fields);
  return capacityOf({ declaration, seen });
}

test("of what was measured the system's share and the master's reserve are kept back", () => {
  expect(measured({ system: {} })).toEqual({ cpu: 3880, memory: 7502, disk: 95_000, gpus: [] });
  expect(measured({ system: { cpu: 0, memory: 1000, disk: 0 }, reserve: masters })).toEqual({ ...whole, cpu: 3500, memory: 6680 });
});

test("declared capacity is offered whole, and so is that of a node declared by a version before", () => {
  expect(capacityOf({ declaration: aDeclaration({ capacity: whole, system: {} }), seen })).toEqual(whole);
  expect(measured({})).toEqual(whole);
});

test("a node that nothing is known of offers nothing", () => {
  const { capacity: _, ...declaration } = aDeclaration({ system: {} });
  expect(capacityOf({ declaration })).toBeUndefined();
});
