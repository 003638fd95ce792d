import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { compareFiles, type FileOnMachine, readFiles, restoreLabels, writeFiles } from "./files.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-files-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function run([program = "", ...args]: readonly string[], options: { input?: string | Buffer; path?: string } = {}): number {
  const { input = "", path = process.env.PATH } = options;
  try {
    execFileSync(program, args, { input, env: { ...process.env, PATH: path }, stdio: ["pipe", "ignore", "ignore"] });
    return 0;
  } catch (error) {
    return (error as { status: number }).status;
  }
}

const filesIn = (there: string): FileOnMachine[] => [
  { path: join(there, "etc/agent.json"), content: "{}\n", mode: "600" },
  { path: join(there, "etc/it's a ca.pem"), content: "ü no line end", mode: "644" },
  { path: join(there, "units/empty"), content: "", mode: "644" },
];

function outputOf([program = "", ...args]: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8" });
}

it("writes files whole and with their modes, and tells which hold what they should", () => {
  const files = filesIn(directory);
  const look = () => compareFiles(outputOf(readFiles(["sha256sum"], files)), files);
  expect(look()).toEqual({ same: new Set(), there: new Set() });
  const { argv, stdin } = writeFiles(files, join(directory, "opt"));
  expect(run(argv, { input: stdin })).toBe(0);
  for (const { path, content, mode } of files) {
    expect(readFileSync(path, "utf8")).toBe(content);
    expect(statSync(path).mode & 0o777).toBe(Number.parseInt(mode, 8));
  }
  const [config, ca, empty] = files.map(({ path }) => path) as [string, string, string];
  expect(look().same).toEqual(new Set([config, ca, empty]));
  writeFileSync(config, "{ }\n");
  chmodSync(ca, 0o600);
  rmSync(empty);
  expect(look()).toEqual({ same: new Set(), there: new Set([config, ca]) });
  expect(readdirSync(directory, { recursive: true }).filter((name) => String(name).endsWith(".new"))).toEqual([]);
});

it("an input that breaks off changes no file and leaves nothing", () => {
  const files = filesIn(directory);
  const { argv, stdin } = writeFiles(files, join(directory, "opt"));
  for (const length of [0, 1, 5, Buffer.byteLength(stdin) - 1]) {
    expect(run(argv, { input: Buffer.from(stdin).subarray(0, length) })).toBe(1);
    expect(readdirSync(directory, { recursive: true })).toEqual(["opt"]);
  }
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
