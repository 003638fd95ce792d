import fc from "fast-check";
import { expect, test } from "vitest";
import { reservedOf, subtractResources } from "./resources.ts";

const host = (cpu: number, memory: number, disk: number) => ({ cpu, memory, disk, gpus: [] });

test("a host keeps a little for its own system, more on a larger one", () => {
  expect(reservedOf(host(4000, 8192, 100_000), {})).toEqual(host(120, 690, 5000));
  expect(reservedOf(host(64_000, 262_144, 2_000_000), {})).toEqual(host(720, 13_388, 100_000));
});

test("what is written counts, also nothing", () => {
  expect(reservedOf(host(4000, 8192, 100_000), { cpu: 500, memory: 0 })).toEqual(host(500, 0, 5000));
  expect(reservedOf(host(4000, 8192, 100_000), { cpu: 0, memory: 0, disk: 0 })).toEqual(host(0, 0, 0));
});

test("of the smallest host at least half is offered, and GPUs are never kept", () => {
  const amount = fc.integer({ min: 0, max: 10_000_000 });
  fc.assert(
    fc.property(amount, amount, amount, (cpu, memory, disk) => {
      const whole = { ...host(cpu, memory, disk), gpus: [{ model: "a100", count: 2 }] };
      const offered = subtractResources(whole, reservedOf(whole, {}));
      expect(offered.cpu).toBeGreaterThanOrEqual(cpu / 2);
      expect(offered.memory).toBeGreaterThanOrEqual(memory / 2);
      expect(offered.disk).toBeGreaterThanOrEqual(disk / 2);
      expect(offered.gpus).toEqual(whole.gpus);
    }),
  );
});
