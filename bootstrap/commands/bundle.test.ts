import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { installLayout } from "../../agent/contract/install-layout.ts";
import { unpackBundle } from "./bundle.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-unpack-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** With a `restorecon` that tells what it was given. */
function unpack(relabel: boolean): string {
  const told = join(directory, "told");
  mkdirSync(join(directory, "content/bin"), { recursive: true });
  writeFileSync(join(directory, "content/bin/node"), "a program");
  writeFileSync(join(directory, "restorecon"), `#!/bin/sh\necho "$@" >"${told}"\n`, { mode: 0o755 });
  const tarball = execFileSync("tar", ["-czf", "-", "-C", join(directory, "content"), "bin"]);
  const layout = installLayout(directory);
  const tarballSha256 = createHash("sha256").update(tarball).digest("hex");
  const [program = "", ...args] = unpackBundle({
    layout,
    digest: "d1",
    tarballSha256,
    sha256: ["sha256sum"],
    nodeBinary: undefined,
    relabel,
  });
  execFileSync(program, args, { input: tarball, env: { ...process.env, PATH: `${directory}:${process.env.PATH}` } });
  expect(readFileSync(join(layout.bundle("d1"), "bin/node"), "utf8")).toBe("a program");
  return existsSync(told) ? readFileSync(told, "utf8") : "";
}

it("gives the files of a bundle the labels of their places before it is there by name, where SELinux is on", () => {
  expect(unpack(true)).toBe(`-R ${installLayout(directory).bundle("d1")}.part\n`);
});

it("touches no label elsewhere", () => {
  expect(unpack(false)).toBe("");
});
