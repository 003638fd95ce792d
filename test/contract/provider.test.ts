import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createLocalMachine, deleteAllLocalMachines, localProvider } from "../../providers/local/pool.ts";
import { waitUntil } from "../support/wait-until.ts";
import { madeMachinesContract, type ProviderUnderTest, providerContract } from "./provider.contract.ts";

providerContract("local", begin);
madeMachinesContract("local", begin);

async function begin(): Promise<ProviderUnderTest> {
  const where = join(mkdtempSync(join(tmpdir(), "spillway-provider-")), "machines");
  return {
    provider: localProvider,
    scope: { directory: where, hosts: [], identityOf: async () => undefined, clouds: {} },
    make: (name, environmentId, burst) =>
      createLocalMachine({
        environmentId,
        name,
        pool: "test",
        directory: join(where, name),
        capacity: { cpu: 1000, memory: 512, disk: 0, gpus: [] },
        labels: {},
        nodeBinary: process.execPath,
        burst,
      }),
    strangeKey: async () => ({ kind: "file", path: join(where, "two", "client_key") }),
    cutPower: async (machine) => {
      process.kill(Number(readFileSync(join(where, machine.name, "machine.pid"), "utf8")), "SIGKILL");
      await waitUntil("the server is gone", async () => (await localProvider.status(machine)) !== "running");
    },
    cleanUp: async () => {
      for (const environment of ["env-a", "env-b"]) await deleteAllLocalMachines(environment, where);
      rmSync(dirname(where), { recursive: true, force: true });
    },
  };
}
