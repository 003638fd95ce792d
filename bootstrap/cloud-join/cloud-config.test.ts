import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { installLayout } from "../../agent/contract/install-layout.ts";
import { agentFiles } from "../agent-files.ts";
import { unitText } from "../commands/systemd-unit.ts";
import { joinUserData } from "./cloud-config.ts";
import { type CloudJoin, factsOf } from "./cloud-join.ts";
import { joinFiles } from "./join-files.ts";

/** As large as it may be: a certificate of a real size, the longest names, a command that ends the machine. */
const wish: CloudJoin = {
  node: "m".repeat(63),
  endpoint: `https://${"h".repeat(63)}.example.org:7070`,
  caCert: `-----BEGIN CERTIFICATE-----\n${randomBytes(520).toString("base64")}\n-----END CERTIFICATE-----\n`,
  cloud: "azure",
  deadMan: { silenceMs: 600_000, end: ["/bin/sh", "-c", `it's ${randomBytes(600).toString("base64")}`] },
  token: `instance.${randomBytes(32).toString("base64url")}.${"a".repeat(64)}`,
  bundle: { digest: "d".repeat(64), bytes: 45_000_000, sha256: "e".repeat(64) },
  arch: "x64",
  identity: { environmentId: "7f6e7a53-2b3c-4a55-9f0e-1f1d8f6f0001", environment: "prod", machine: "m".repeat(63), burst: "b".repeat(48) },
  patienceMs: 1_800_000,
};
const files = joinFiles(wish);

interface CloudConfig {
  readonly users: readonly unknown[];
  readonly write_files: readonly { path: string; owner: string; permissions: string; encoding: string; content: string }[];
  readonly runcmd: readonly (readonly string[])[];
}
const parsed = (text: string): CloudConfig => JSON.parse(text.slice("#cloud-config\n".length)) as CloudConfig;
const contentOf = (name: string) => files.find(({ path }) => path.endsWith(`/${name}`))?.content ?? "";

describe("the user data of a machine that joins by itself", () => {
  test("is small enough for EC2, and holds each file as it is to be, readable by root alone", () => {
    const text = joinUserData({ files });
    expect(Buffer.byteLength(text)).toBeLessThan(16 * 1024);
    const written = parsed(text).write_files;
    expect(written.map(({ path }) => path)).toEqual(files.map(({ path }) => path));
    for (const [index, { content, encoding, permissions, owner }] of written.entries()) {
      expect({ encoding, owner }).toEqual({ encoding: "gz+b64", owner: "root:root" });
      expect(gunzipSync(Buffer.from(content, "base64")).toString()).toBe(files[index]?.content);
      expect(permissions).toBe(`0${files[index]?.mode}`);
    }
    expect(files.filter(({ mode }) => /[4-7]$/.test(mode)).map(({ path }) => path)).toEqual(["/etc/systemd/system/spillway-join.service"]);
  });

  test("lets nobody log in, unless somebody is named", () => {
    expect(parsed(joinUserData({ files })).users).toEqual([]);
    expect(parsed(joinUserData({ files, login: { users: [{ name: "spillway" }] } })).users).toEqual([{ name: "spillway" }]);
  });

  test("starts the unit and does not wait for it", () => {
    expect(parsed(joinUserData({ files })).runcmd.at(-1)).toEqual(["systemctl", "start", "--no-block", "spillway-join.service"]);
    const unit = contentOf("spillway-join.service");
    expect(unit).toContain("ExecStart=/bin/sh /opt/spillway/join/join.sh");
    expect(unit).toContain("RestartPreventExitStatus=3");
  });

  test("that would be too large is a bug, not a machine that never comes", () => {
    expect(() => joinUserData({ files: [{ path: "/x", mode: "600", content: randomBytes(20_000).toString("base64") }] })).toThrow(
      "EC2 takes 16384",
    );
  });
});

describe("the script", () => {
  test("is a script for any POSIX shell, and its helper a program of Python", () => {
    const directory = mkdtempSync(join(tmpdir(), "spillway-join-"));
    try {
      for (const name of ["join.sh", "machine.py"]) writeFileSync(join(directory, name), contentOf(name));
      execFileSync("sh", ["-n", join(directory, "join.sh")]);
      execFileSync("python3", ["-m", "py_compile", join(directory, "machine.py")]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("writes what an installation over SSH writes: configuration, CA, unit, metadata guard, identity", () => {
    const script = contentOf("join.sh");
    const unquoted = script.replaceAll("'\\''", "'");
    const layout = installLayout("");
    for (const { content } of agentFiles(wish, layout, factsOf(""))) expect(unquoted).toContain(content);
    expect(unquoted).toContain(unitText(layout, "agent"));
    expect(unquoted).toContain(`${JSON.stringify(wish.identity)}\n`);
    expect(script).toContain("169.254.169.254");
    expect(script).toContain('"executor": "systemd"');
  });

  test("gives the token to the agent on its standard input only, and takes everything away at its end", () => {
    const lines = contentOf("join.sh").split("\n");
    expect(lines.filter((line) => line.includes(wish.token))).toEqual([
      expect.stringMatching(/^enter\(\) \{ printf .* \| \/opt\/spillway\/agent\/bin\/node .* join /),
    ]);
    expect(lines.at(-6)).toContain("systemctl disable --quiet spillway-join.service");
    expect(lines.at(-5)).toBe('  rm -rf "$join" /etc/systemd/system/spillway-join.service');
  });
});
