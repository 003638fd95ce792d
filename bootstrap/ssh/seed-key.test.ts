import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { expect, it } from "vitest";
import { makeSeedKey } from "./seed-key.ts";

it("makes a key pair whose halves belong together and whose fingerprint is that of OpenSSH", () => {
  const { privateKey, publicKey, fingerprint } = makeSeedKey();
  const directory = mkdtempSync(join(tmpdir(), "spillway-seed-"));
  try {
    const file = join(directory, "key");
    writeFileSync(file, privateKey, { mode: 0o600 });
    writeFileSync(`${file}.pub`, publicKey);
    const derived = execFileSync("ssh-keygen", ["-y", "-f", file], { encoding: "utf8" }).trim();
    expect(publicKey.startsWith(derived.split(" ").slice(0, 2).join(" "))).toBe(true);
    expect(execFileSync("ssh-keygen", ["-lf", `${file}.pub`], { encoding: "utf8" })).toContain(fingerprint);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  expect(ssh2.utils.parseKey(privateKey)).not.toBeInstanceOf(Error);
});

it("makes another key each time", () => {
  expect(makeSeedKey().fingerprint).not.toBe(makeSeedKey().fingerprint);
});
