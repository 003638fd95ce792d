import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { findContext } from "./environment-context.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spillway-contexts-"));
});
afterEach(() => {
  rmSync(root, { recursive: true });
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

function write(
  name: string,
  content: unknown = { environment: name, environmentId: "id", url: "https://127.0.0.1:1", ca: "pem", token: "secret" },
  mode = 0o600,
): void {
  mkdirSync(join(root, name));
  writeFileSync(join(root, name, "context.json"), typeof content === "string" ? content : JSON.stringify(content), { mode });
  chmodSync(join(root, name, "context.json"), mode);
}

const find = (name?: string, variables: { readonly SPILLWAY_ENV?: string } = {}) => {
  vi.stubEnv("SPILLWAY_STATE_DIR", root);
  vi.stubEnv("SPILLWAY_ENV", variables.SPILLWAY_ENV);
  return findContext({ name });
};

test("the only environment needs no name", () => {
  write("local");
  expect(find()).toMatchObject({ context: { environment: "local" }, file: join(root, "local", "context.json") });
});

test("a name on the command line is stronger than SPILLWAY_ENV", () => {
  write("dev");
  write("local");
  expect(find(undefined, { SPILLWAY_ENV: "dev" }).context.environment).toBe("dev");
  expect(find("local", { SPILLWAY_ENV: "dev" }).context.environment).toBe("local");
});

test("of several, none is guessed: the error names them", () => {
  write("dev");
  write("local");
  expect(() => find()).toThrow(expect.objectContaining({ code: "which-environment", message: expect.stringContaining("dev, local") }));
});

test("without any, the error says how to make one", () => {
  expect(() => find()).toThrow(expect.objectContaining({ code: "no-environment", hint: expect.stringContaining("./spillway up local") }));
});

test("a name can't lead out of the folder", () => {
  write("local");
  expect(() => find("../local")).toThrow(expect.objectContaining({ code: "no-environment" }));
});

test("a folder without a context is no environment", () => {
  write("local");
  mkdirSync(join(root, "half-made"));
  expect(find().context.environment).toBe("local");
});

test("a broken context is told with its file and what writes it again, and never printed", () => {
  write("local", { environment: "local", token: "secret" });
  const broken = expect.objectContaining({
    code: "broken-context",
    where: expect.stringContaining("context.json"),
    hint: expect.stringContaining("spillway up local"),
  });
  expect(() => find()).toThrow(broken);
  expect(() => find()).not.toThrow(expect.objectContaining({ message: expect.stringContaining("secret") }));
});

test("a context that others may read is used, with a warning", () => {
  const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  write("local", undefined, 0o644);
  expect(find().context.environment).toBe("local");
  expect(String(written.mock.calls[0]?.[0])).toContain("chmod 600");
});
