/** The provider of hosts one owns, held to the contract on hosts of the lab. */
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { type Machine, machine } from "../../agent/contract/machine.ts";
import { readMachineIdentity } from "../../bootstrap/actions/identity.ts";
import { removeRole } from "../../bootstrap/actions/remove.ts";
import { identityFor } from "../../bootstrap/machine-facts.ts";
import { claim } from "../../bootstrap/phases/claim.ts";
import { connect } from "../../bootstrap/phases/connect.ts";
import { facts } from "../../bootstrap/phases/facts.ts";
import { runPhases } from "../../bootstrap/run-phases.ts";
import { sshProvider, sshProviderId } from "../../providers/ssh/pool.ts";
import { ownedMachinesContract, type ProviderUnderTest, providerContract } from "../contract/provider.contract.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { outputOf } from "./support/run-program.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await bootLab({ hosts: [{ name: "one" }, { name: "two" }] });
});
afterAll(() => lab.close());

function machineOf(name: string): Machine {
  const { address: host, hostKey, keyFile } = lab.host(name);
  const credential = { kind: "file", path: keyFile };
  const providerId = sshProviderId(host, 22);
  return machine.parse({ name, pool: "rack", provider: "ssh", providerId, host, port: 22, user: "ops", hostKey, credential });
}

/** A host is tagged as the bootstrap does it, and nothing else is put on it. */
const nothingInstalled = {
  role: "agent" as const,
  bundle: () => Promise.reject(new Error("no bundle is needed")),
  files: () => [],
  awaitReady: async () => undefined,
};

async function begin(): Promise<ProviderUnderTest & { givePower: ProviderUnderTest["cutPower"] }> {
  return {
    provider: sshProvider,
    scope: {
      directory: "",
      hosts: lab.hosts.map(({ name }) => machineOf(name)),
      identityOf: (host) => readMachineIdentity({ machine: host }),
      clouds: {},
    },
    make: async (name, environmentId, burst) => {
      const made = { ...machineOf(name), ...(burst === undefined ? {} : { burst }) };
      const identity = identityFor(made, { environmentId, environment: "prod" });
      await runPhases([connect, facts, claim], { ...nothingInstalled, machine: made, identity });
      return made;
    },
    strangeKey: async () => {
      const path = join(lab.directory, "strange-key");
      await outputOf(["sh", "-c", 'test -f "$1" || ssh-keygen -q -t ed25519 -N "" -f "$1"', "sh", path]);
      return { kind: "file", path };
    },
    cutPower: ({ name }) => lab.host(name).powerOff({ hard: true }),
    givePower: ({ name }) => lab.host(name).powerOn(),
    cleanUp: async () => {
      for (const host of lab.hosts) if (!host.isOn()) await host.powerOn();
      for (const { name } of lab.hosts) await removeRole({ machine: machineOf(name), role: "agent" });
    },
  };
}

providerContract("ssh", begin);
ownedMachinesContract("ssh", begin);
