import { expect, test } from "vitest";
import { renewalTime } from "./keep-renewed.ts";

const day = 86_400_000;

test("a certificate is renewed at two thirds of its life", () => {
  expect(renewalTime({ notBefore: 0, notAfter: 3 * day }, 0, day)).toBe(2 * day);
});

test("after a failure it is tried again in a sixtieth of its life, so that many tries are left", () => {
  expect(renewalTime({ notBefore: 0, notAfter: 3 * day }, 1, 2 * day)).toBe(2 * day + (3 * day) / 60);
  expect(renewalTime({ notBefore: 0, notAfter: 6000 }, 5, 4000)).toBe(5000);
});
