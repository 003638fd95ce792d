import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parse } from "yaml";
import { writeSettings } from "./write-settings.ts";

const text = "# a comment\nconfig:\n  spillway:environment:\n    masters: { pool: m }\n    pools: { m: { provider: local, count: 2 } }\n";
let directory = "";
let file = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-init-"));
  file = join(directory, "Pulumi.dev.yaml");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it("writes the file as it is", () => {
  writeSettings(file, text, { force: false });
  expect(readFileSync(file, "utf8")).toBe(text);
});

it("leaves alone what is there", () => {
  writeFileSync(file, "mine");
  expect(() => writeSettings(file, text, { force: false })).toThrowError(expect.objectContaining({ code: "already-there" }));
  expect(readFileSync(file, "utf8")).toBe("mine");
});

it("writes nothing that is no environment, said with its line", () => {
  const broken = text.replace("pool: m ", "pool: x ");
  for (const force of [false, true])
    expect(() => writeSettings(file, broken, { force })).toThrowError(
      expect.objectContaining({ code: "settings", message: expect.stringContaining('there is no node pool "x"; there are: m  (line 4)') }),
    );
  expect(existsSync(file)).toBe(false);
});

it("keeps, when it is told to write over a file, what Pulumi has written there", () => {
  writeFileSync(
    file,
    "encryptionsalt: v1:abc\nconfig:\n  aws:region: eu-west-1\n  spillway:environment: { masters: { pool: old }, pools: { old: { provider: local } } }\n",
  );
  writeSettings(file, text, { force: true });
  const written = readFileSync(file, "utf8");
  expect(written).toContain("# a comment");
  expect(parse(written)).toEqual({
    encryptionsalt: "v1:abc",
    config: {
      "aws:region": "eu-west-1",
      "spillway:environment": { masters: { pool: "m" }, pools: { m: { provider: "local", count: 2 } } },
    },
  });
});
