import { afterEach, expect, test, vi } from "vitest";
import { adoptionVariable } from "../../adopted-environment.ts";
import { authority } from "./authority.ts";

const context = { status: () => undefined, log: () => undefined, sentence: () => undefined, signal: new AbortController().signal };
const make = (environment: string) => authority.create({ environment, machines: "-", contextFile: "-" }, context);
const id = "11111111-1111-4111-8111-111111111111";

afterEach(() => void vi.unstubAllEnvs());

test("an environment that is adopted stays the same to its machines, under a root and a token of its own", async () => {
  for (const [name, value] of Object.entries(adoptionVariable("prod", id))) vi.stubEnv(name, value);
  const [one, two] = [await make("prod"), await make("prod")];
  expect([one.id, two.outputs.environmentId]).toEqual([id, id]);
  expect(one.outputs.caCert).not.toBe(two.outputs.caCert);
  expect(one.outputs.adminToken).not.toBe(two.outputs.adminToken);
});

test("an environment of another name, and one that nobody adopts, begins as itself", async () => {
  for (const [name, value] of Object.entries(adoptionVariable("prod", id))) vi.stubEnv(name, value);
  expect((await make("dev")).id).not.toBe(id);
  vi.unstubAllEnvs();
  expect((await make("prod")).id).not.toBe(id);
});
