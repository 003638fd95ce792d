/** The smoke test that is for real clouds, against a cloud's double: the same file, nothing else. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type CloudRack, cloudRack, region } from "./support/cloud-rack.ts";

let rack: CloudRack;

beforeAll(async () => {
  rack = await cloudRack();
});
afterAll(async () => {
  await rack?.close();
});

it("goes through up, run, burst and destroy on AWS, and nothing is left", async () => {
  const words = ["--cloud", "aws", "--region", region, "--type", "m7i.large", "--from", `${rack.lab.machineAddress}/32`, "--yes"];
  const smoke = await rack.checkout.run(process.execPath, [join("test", "cloud", "smoke.ts"), ...words], { env: { ...rack.env } });
  expect(smoke, `${smoke.stdout}\n${smoke.stderr}`).toMatchObject({ code: 0 });
  expect(smoke.stdout).toContain("nothing is left");
  expect(rack.cloud.instances()).toEqual([]);
});
