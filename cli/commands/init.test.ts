import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { initAnswers } from "../init/answers.ts";
import { commandBench } from "../testing/command-bench.ts";
import { nextCommands } from "./init.ts";

const bench = commandBench();
let keys = "";
beforeAll(() => {
  keys = mkdtempSync(join(tmpdir(), "spillway-init-"));
  writeFileSync(join(keys, "id.pub"), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEw ops@example.org\n");
});
afterAll(() => rmSync(keys, { recursive: true, force: true }));

const inAws = ["--machines", "aws", "--region", "eu-west-1", "--count", "2", "--burst", "20", "--ssh-from", "203.0.113.7"];

test("init --print shows the settings that it would write, whatever is there", async () => {
  const { code, stdout } = await bench.run("init", "prod", ...inAws, "--key", join(keys, "id"), "--print");
  expect(code).toBe(0);
  expect(parse(stdout).config["spillway:environment"]).toMatchObject({
    pools: { base: { provider: "aws", region: "eu-west-1", count: 2 } },
    burst: { budget: { perDay: 20 } },
  });
});

test("init shows nothing that would not be accepted", async () => {
  const { code, stdout, stderr } = await bench.run("init", "x", ...inAws, "--key", join(keys, "other"), "--print");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("other.pub can't be read");
});

test("init does not let the world in by SSH", async () => {
  const words = [...inAws.slice(0, -1), "0.0.0.0/0", "--key", join(keys, "id"), "--print"];
  expect(await bench.run("init", "x", ...words)).toMatchObject({ code: 1, stderr: expect.stringContaining("lets in the whole world") });
});

test("init does not ask before it says that the settings are there already", async () => {
  expect(await bench.run("init", "prod")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("stacks/environment/Pulumi.prod.yaml is there already"),
  });
});

test("init wants a name, and every answer, where there is nobody to ask", async () => {
  expect(await bench.run("init")).toMatchObject({ code: 2, stderr: expect.stringContaining("which environment?") });
  expect(await bench.run("init", "a b")).toMatchObject({ code: 2, stderr: expect.stringContaining("can't be an environment's name") });
  expect(await bench.run("init", "fresh", "--machines", "here")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--count is missing"),
  });
});

test("init ends with the commands that come next", async () => {
  expect(nextCommands("dev", await initAnswers({ machines: "here", count: "1", burst: "no" }, undefined))).toEqual([
    "  next        ./spillway up dev",
  ]);
  const hosts = { machines: "hosts", hosts: "192.0.2.11", burst: "5", burstIn: "aws:eu-west-1", sshFrom: "203.0.113.7" };
  expect(nextCommands("lab", await initAnswers(hosts, undefined))).toEqual([
    "  next        ./spillway prices refresh lab   # what it will cost; needs the cloud's credentials",
    "              ./spillway doctor 192.0.2.11 --env lab   # what its hosts lack",
    "              ./spillway preview lab",
  ]);
});
