/** The provider of hosts one owns, held to the contract on hosts of the lab. */
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { machine } from "../../agent/contract/machine.ts";
import { sshProvider, sshProviderId } from "../../providers/ssh/pool.ts";
import { ownedMachinesContract, type ProviderUnderTest, providerContract } from "../contract/provider.contract.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { outputOf } from "./support/run-program.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await bootLab({ hosts: [{ name: "one" }, { name: "two" }] });
});
afterAll(() => lab.close());

async function begin(): Promise<ProviderUnderTest & { givePower: ProviderUnderTest["cutPower"] }> {
  return {
    provider: sshProvider,
    where: "",
    make: async (name) => {
      const { address: host, hostKey, keyFile } = lab.host(name);
      const providerId = sshProviderId(host, 22);
      return machine.parse({
        name,
        pool: "rack",
        provider: "ssh",
        providerId,
        host,
        port: 22,
        user: "ops",
        hostKey,
        credential: { kind: "file", path: keyFile },
      });
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
    },
  };
}

providerContract("ssh", begin);
ownedMachinesContract("ssh", begin);
