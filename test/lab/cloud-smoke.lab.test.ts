/** The smoke test that is for real clouds, against a cloud's double: the same file, nothing else. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { azureRegion, type CloudRack, cloudRack, region } from "./support/cloud-rack.ts";

let rack: CloudRack;

beforeAll(async () => {
  rack = await cloudRack("rack", { azure: true });
});
afterAll(async () => {
  await rack?.close();
});

it.each([
  ["aws", region, "m7i.large"],
  ["azure", azureRegion, "Standard_D2s_v5"],
])("goes through up, run, burst and destroy on %s, and nothing is left", async (cloud, where, type) => {
  const words = ["--cloud", cloud, "--region", where, "--type", type, "--from", `${rack.lab.machineAddress}/32`, "--yes"];
  const smoke = await rack.checkout.run(process.execPath, [join("test", "cloud", "smoke.ts"), ...words], { env: { ...rack.env } });
  expect(smoke, `${smoke.stdout}\n${smoke.stderr}`).toMatchObject({ code: 0 });
  expect(smoke.stdout).toContain("nothing is left");
  expect(rack.cloud.instances()).toEqual([]);
  expect(rack.azure?.machines()).toEqual([]);
});
