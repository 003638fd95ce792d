import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse } from "yaml";
import { parseSettings } from "../../stacks/settings.ts";
import { type GivenAnswers, initAnswers } from "./answers.ts";
import { settingsText } from "./settings-text.ts";

let keys = "";
beforeAll(() => {
  keys = mkdtempSync(join(tmpdir(), "spillway-init-"));
  writeFileSync(join(keys, "id.pub"), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEw ops@example.org\n");
});
afterAll(() => rmSync(keys, { recursive: true, force: true }));

async function settingsOf(answers: GivenAnswers) {
  const text = settingsText("dev", await initAnswers(answers, undefined), { key: join(keys, "id"), user: "ops", knowsHosts: false });
  return { text, settings: parseSettings(parse(text).config["spillway:environment"]) };
}

it("writes machines on this computer, which may burst there", async () => {
  const { settings } = await settingsOf({ machines: "here", count: "2", burst: "1.50" });
  expect(settings).toMatchObject({
    masters: { pool: "m" },
    pools: { m: { provider: "local", count: 2 } },
    burst: { pools: { overflow: { provider: "local" } }, policy: { budget: { perDay: 1.5 }, maxNodes: 4 } },
  });
});

it("writes no bursts where nothing may be bought, and says so", async () => {
  const { text, settings } = await settingsOf({ machines: "here", count: "2", burst: "no" });
  expect(settings).not.toHaveProperty("burst");
  expect(text).toContain("# Without `burst` the pool never grows");
});

it.each([
  ["aws", "eu-west-1", "m7i.large"],
  ["azure", "northeurope", "Standard_D2s_v5"],
] as const)("writes machines of %s that burst in their region, with every guard rail on", async (machines, region, instanceType) => {
  const { settings } = await settingsOf({ machines, region, count: "2", burst: "20", sshFrom: "203.0.113.7" });
  const sshFrom = ["203.0.113.7/32"];
  expect(settings).toMatchObject({
    masters: { pool: "base" },
    pools: { base: { provider: machines, region, instanceType, count: 2, sshFrom, masterFrom: sshFrom } },
    burst: { pools: { overflow: { provider: machines, regions: [region], sshFrom } }, policy: { budget: { perDay: 20 }, maxNodes: 10 } },
    guards: { regions: [region], override: {} },
  });
});

it("writes hosts of one's own that burst into a cloud, whose machines dial the first of them", async () => {
  const { settings } = await settingsOf({
    machines: "hosts",
    hosts: "2001:db8::7,db.example.org",
    burst: "20",
    burstIn: "aws:eu-central-1",
    sshFrom: "203.0.113.7",
  });
  expect(settings).toMatchObject({
    masters: { pool: "rack", endpoint: "https://[2001:db8::7]:7070" },
    pools: { rack: { provider: "ssh", user: "ops", hosts: [{ host: "2001:db8::7" }, { host: "db.example.org" }] } },
    burst: { pools: { overflow: { provider: "aws", regions: ["eu-central-1"] } } },
    guards: { regions: ["eu-central-1"] },
  });
});

it("writes hosts of one's own that never burst, without a word of clouds", async () => {
  const { text, settings } = await settingsOf({ machines: "hosts", hosts: "192.0.2.11", burst: "no" });
  expect(settings.pools.rack).toMatchObject({ provider: "ssh", hosts: [{ host: "192.0.2.11" }] });
  expect(text).not.toMatch(/guards|endpoint|trustOnFirstUse/);
});
