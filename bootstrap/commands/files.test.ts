import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fileHolds, restoreLabels, writeFile } from "./files.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-files-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function run([program = "", ...args]: readonly string[], options: { input?: string; path?: string } = {}): number {
  const { input = "", path = process.env.PATH } = options;
  try {
    execFileSync(program, args, { input, env: { ...process.env, PATH: path }, stdio: ["pipe", "ignore", "ignore"] });
    return 0;
  } catch (error) {
    return (error as { status: number }).status;
  }
}

it("writes a file whole and with its mode, and knows what it holds", () => {
  const file = join(directory, "etc/agent.json");
  expect(run(writeFile(file, "600"), { input: "{}\n" })).toBe(0);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(run(fileHolds(file), { input: "{}\n" })).toBe(0);
  expect(run(fileHolds(file), { input: "{ }\n" })).not.toBe(0);
});

it("restores the labels of what is there, place by place", () => {
  const told = join(directory, "told");
  writeFileSync(join(directory, "restorecon"), `#!/bin/sh\necho "$@" >>"${told}"\n`, { mode: 0o755 });
  writeFileSync(join(directory, "a file"), "");
  const path = `${directory}:${process.env.PATH}`;
  expect(run(restoreLabels(join(directory, "a file"), join(directory, "nowhere"), directory), { path })).toBe(0);
  expect(readFileSync(told, "utf8")).toBe(`-R ${join(directory, "a file")}\n-R ${directory}\n`);
});

it("tells when a label can't be set", () => {
  writeFileSync(join(directory, "restorecon"), "#!/bin/sh\nexit 255\n", { mode: 0o755 });
  expect(run(restoreLabels(directory), { path: `${directory}:${process.env.PATH}` })).toBe(1);
});
