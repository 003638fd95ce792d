/** The bootstrap's phases against a real machine over SSH, with the real bundle: installed, installed again, broken, removed. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildBundle } from "../../agent/bundle/build.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { installRole } from "../../bootstrap/actions/install.ts";
import { removeRole } from "../../bootstrap/actions/remove.ts";
import type { BootstrapRequest, BundleFile } from "../../bootstrap/context.ts";
import { createLocalMachine, deleteAllLocalMachines } from "../../providers/local/pool.ts";

let where: string;
let machine: Machine;
let bundle: BundleFile;

beforeAll(async () => {
  where = join(mkdtempSync(join(tmpdir(), "spillway-bootstrap-")), "machines");
  const capacity = { cpu: 1000, memory: 512, disk: 0, gpus: [] };
  const named = { environmentId: "env", name: "one", pool: "test", directory: join(where, "one"), labels: {} };
  machine = await createLocalMachine({ ...named, capacity, nodeBinary: process.execPath });
  bundle = await buildBundle({ platform: "host" });
});
afterAll(async () => {
  await deleteAllLocalMachines("env", where);
  rmSync(dirname(where), { recursive: true, force: true });
});

/** The master role without a configuration: it starts, fails and is tried again, which is all that these tests need. */
function request(over: Partial<BootstrapRequest> = {}): BootstrapRequest {
  return {
    machine,
    role: "master",
    bundle: async () => bundle,
    files: (layout) => [{ path: layout.config("master"), content: "{}\n", mode: "600" }],
    awaitReady: async () => undefined,
    ...over,
  };
}

function filesThere(): string[] {
  return readdirSync(join(where, "one", "root"), { recursive: true, encoding: "utf8" }).sort();
}

const untouched = ["etc", "opt", "var", "var/lib", "var/log"];

it("tells in a dry run what it would do, and does nothing", async () => {
  const sentences = await installRole(request({ dryRun: true }));
  expect(sentences.map((sentence) => sentence.replace(/[0-9a-f]{12} \(.*\)|[0-9a-f]{12}/, "…"))).toEqual([
    "upload the bundle …",
    "write master.json for the master",
    "point the master at bundle …",
    "start the master",
  ]);
  expect(filesThere()).toEqual(untouched);
});

it("refuses a bundle that arrives broken, and leaves nothing of it", async () => {
  const broken = join(dirname(where), "broken.tar.gz");
  writeFileSync(broken, readFileSync(bundle.tarball));
  truncateSync(broken, Math.floor(bundle.bytes / 2));
  const attempt = installRole(request({ bundle: async () => ({ ...bundle, tarball: broken }) }));
  await expect(attempt).rejects.toMatchObject({
    code: "remote-command-failed",
    message: expect.stringMatching(/the bundle arrived broken: its SHA-256 is/),
  });
  expect(filesThere()).toEqual([...untouched.slice(0, 2), "opt/spillway", "opt/spillway/bundles", ...untouched.slice(2)]);
});

it("installs, and changes nothing when it is run again", async () => {
  expect((await installRole(request())).at(-1)).toBe("start the master");
  expect(await installRole(request())).toEqual([]);
});

it("starts a role anew that a former run had changed and died before it could start it", async () => {
  // A role that stays up: its own failing starts would read the change by themselves.
  const patient = join(dirname(where), "patient-node");
  writeFileSync(patient, "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
  const linked = { machine: { ...machine, nodeBinary: patient } };
  await installRole(request(linked));
  expect(await installRole(request(linked))).toEqual([]);
  const files: BootstrapRequest["files"] = (layout) => [{ path: layout.config("master"), content: '{"changed":true}\n', mode: "600" }];
  const death = new AbortController();
  const dying = request({
    ...linked,
    files,
    signal: death.signal,
    onSentence: (sentence) => void (sentence.includes("write master.json") && death.abort()),
  });
  await expect(installRole(dying)).rejects.toMatchObject({ code: "cancelled" });
  expect(await installRole(request({ ...linked, files }))).toEqual(["stop the master to start it anew", "start the master"]);
  expect(await installRole(request({ ...linked, files }))).toEqual([]);
});

it("leaves a machine alone that has become another one, or another environment's", async () => {
  const identity = { environmentId: "e-1", environment: "test", machine: "one" };
  expect(await installRole(request({ identity }))).toContain("mark it as one of test");
  // What the running role writes comes and goes.
  const installed = () => filesThere().filter((path) => /^(opt|etc)\//.test(path));
  const before = installed();
  for (const other of [
    { ...identity, machine: "two" },
    { ...identity, environmentId: "e-2" },
  ])
    await expect(removeRole({ machine, role: "master", identity: other })).rejects.toMatchObject({ code: "not-ours" });
  expect(installed()).toEqual(before);
  await removeRole({ machine, role: "master", identity });
  expect(filesThere()).toEqual(untouched);
});

it("names a host key that is not the pinned one and sends nothing", async () => {
  const other = { ...machine, hostKey: "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
  await expect(installRole(request({ machine: other }))).rejects.toMatchObject({
    code: "host-key-mismatch",
    message: expect.stringContaining(machine.hostKey ?? ""),
  });
});

it("removes every trace, and once more without complaint", async () => {
  await installRole(request());
  await removeRole({ machine, role: "master" });
  expect(filesThere()).toEqual(untouched);
  expect(await removeRole({ machine, role: "master" })).toEqual([]);
});
