import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { answersGiven, giveAnswer, readSecret, secretProblem } from "./secret.ts";

const use = { what: "the sudo password of ops", where: "machine m1", setting: "sudoPassword" } as const;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-secret-"));
  vi.stubEnv("SPILLWAY_ANSWERS", "");
});
afterEach(() => {
  rmSync(directory, { recursive: true });
  vi.unstubAllEnvs();
});

function aFile(text: string, mode = 0o600): { kind: "file"; path: string } {
  const path = join(directory, "secret");
  writeFileSync(path, text, { mode });
  return { kind: "file", path };
}

it("is read from a variable, from a file's first line, and from what was answered", () => {
  vi.stubEnv("OPS_PASSWORD", "from env");
  expect(readSecret({ kind: "env", name: "OPS_PASSWORD" }, use)).toBe("from env");
  expect(readSecret(aFile("from file\r\nsecond\n"), use)).toBe("from file");
  giveAnswer("the sudo password of ops", "typed");
  giveAnswer("the passphrase of ~/k", "typed too");
  expect(readSecret({ kind: "ask", what: "the sudo password of ops" }, use)).toBe("typed");
  expect(Object.keys(answersGiven())).toEqual(["the sudo password of ops", "the passphrase of ~/k"]);
});

it("is refused from a file that others may read", () => {
  expect(() => readSecret(aFile("x", 0o640), use)).toThrow(/which others may read/);
});

it.each([
  [{ kind: "env", name: "NOT_SET" } as const, "NOT_SET, which is not set", "Set NOT_SET"],
  [{ kind: "file", path: "/nowhere/secret" } as const, "/nowhere/secret, which can't be read", "Put it there"],
  [{ kind: "ask", what: "x" } as const, "nobody could be asked", "sudoPassword: env:NAME or sudoPassword: file:~/PATH"],
])("says where %j was to be and what to do", (reference, words, hint) => {
  const attempt = () => readSecret(reference, use);
  expect(attempt).toThrow(words);
  expect(attempt).toThrow(expect.objectContaining({ code: "secret-missing", where: "machine m1", hint: expect.stringContaining(hint) }));
});

it("is never part of what is said against it", () => {
  vi.stubEnv("OPS_PASSWORD", "hunter2\nhunter3");
  const attempt = () => readSecret({ kind: "env", name: "OPS_PASSWORD" }, use);
  expect(attempt).toThrow(/holds a line end/);
  expect(attempt).not.toThrow(/hunter/);
});

it("can be looked for without being read out; a question that was not asked yet is no problem", () => {
  expect(secretProblem({ kind: "ask", what: "x" }, use)).toBeUndefined();
  expect(secretProblem(aFile("x"), use)).toBeUndefined();
  expect(secretProblem({ kind: "env", name: "NOT_SET" }, use)).toMatchObject({ problem: expect.stringContaining("NOT_SET") });
});
