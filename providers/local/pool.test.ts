import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createLocalMachine, deleteAllLocalMachines, type LocalMachineSpec, localProvider } from "./pool.ts";

let where: string;
beforeEach(() => {
  where = join(mkdtempSync(join(tmpdir(), "spillway-local-")), "machines");
});
afterEach(async () => {
  await deleteAllLocalMachines("env-a", where);
  rmSync(dirname(where), { recursive: true, force: true });
});

const make = (over: Partial<LocalMachineSpec> = {}) =>
  createLocalMachine({
    environmentId: "env-a",
    name: "one",
    pool: "test",
    directory: join(where, "one"),
    capacity: { cpu: 1000, memory: 512, disk: 0, gpus: [] },
    labels: {},
    nodeBinary: process.execPath,
    ...over,
  });
const list = async () =>
  (await localProvider.list("env-a", { directory: where, hosts: [], identityOf: async () => undefined, clouds: {} })).machines;

it("still reads the record of a machine of version 0.2, and lists what it knows of it", async () => {
  const machine = await make();
  const file = join(where, "one", "machine.json");
  const { environmentId, name, pool, providerId, port, hostKey, user } = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ environmentId, name, pool, providerId, port, hostKey, user }));
  const { capacity: _, nodeBinary: __, ...known } = machine;
  expect(await list()).toEqual([{ machine: known, environmentId: "env-a", status: "running" }]);
  expect(await localProvider.status(machine)).toBe("running");
  expect(await make()).toEqual(machine);
});

it("lists a machine as it is wanted now, not as it was made", async () => {
  await make();
  const changed = await make({ labels: { rack: "a" }, capacity: { cpu: 4000, memory: 512, disk: 0, gpus: [] } });
  expect(await list()).toMatchObject([{ machine: changed }]);
});

it("bears its burst and its made-up price", async () => {
  expect(await make({ burst: "b-1", price: { hourly: 0.1 } })).toMatchObject({ burst: "b-1", price: { hourly: 0.1 } });
  expect(await list()).toMatchObject([{ burst: "b-1", machine: { burst: "b-1", price: { hourly: 0.1 } } }]);
});

it("does not give a burst's machine to another burst, nor to a node pool", async () => {
  await make({ burst: "b-1" });
  await expect(make({ burst: "b-2" })).rejects.toMatchObject({ code: "machine-of-another-burst" });
  await expect(make()).rejects.toThrow(/holds a machine of the burst b-1/);
});

it("does not end a process that only bears the number of its server", async () => {
  const machine = await make();
  const pidFile = join(where, "one", "machine.pid");
  const pid = readFileSync(pidFile, "utf8");
  writeFileSync(pidFile, String(process.pid));
  const [program = "", ...words] = localProvider.endCommand(machine);
  execFileSync(program, words);
  writeFileSync(pidFile, pid);
  expect(await localProvider.status(machine)).toBe("running");
  rmSync(pidFile);
  expect(() => execFileSync(program, words, { stdio: "ignore" })).not.toThrow();
  writeFileSync(pidFile, pid);
  expect(existsSync(pidFile)).toBe(true);
});
