import { Provider } from "@pulumi/azure-native/provider.js";
import { expect, test } from "vitest";
import { makeAzureNetwork } from "../../../providers/azure/network.ts";
import { makeOwnGroupRole } from "../../../providers/azure/own-group-role.ts";
import { azureProvider } from "../../../providers/azure/pool.ts";
import { makeAzureMachine } from "../../../providers/azure/virtual-machine.ts";
import { startAzureCloud } from "../azure-cloud.ts";
import { cloudStack } from "../engine.ts";

test("the product's own programs", { timeout: 180_000 }, async () => {
  const cloud = await startAzureCloud();
  for (const [name, value] of Object.entries(cloud.environment)) process.env[name] = value;
  const environmentId = "5f0a1c9e-6a1e-4b59-9a5d-3f1f8a0f7d11";
  let market: "spot" | "on-demand" = "spot";
  const tested = await cloudStack({
    environment: cloud.environment,
    plugin: "azure-native",
    program: async () => {
      const provider = new Provider("azure", {
        subscriptionId: cloud.subscription,
        useDefaultAzureCredential: true,
        disablePulumiPartnerId: true,
      });
      const options = { provider };
      const network = makeAzureNetwork(
        "net",
        {
          environment: "e",
          environmentId,
          region: "westeurope",
          sshFrom: ["198.51.100.7/32"],
          masterPort: 7070,
          masterFrom: ["0.0.0.0/0"],
          natGateway: true,
        } as never,
        options,
      );
      makeOwnGroupRole("role", { environment: "e", environmentId, subnetId: network.subnetId }, options);
      const machine = (identity: object, more: object = {}) =>
        makeAzureMachine(
          {
            identity,
            network,
            region: "westeurope",
            zone: "westeurope-2",
            instanceType: "Standard_D2s_v5",
            arch: "x64",
            market,
            image: { distribution: "debian-12" },
            diskGiB: 20,
            userData: "#cloud-config\n",
            address: "public",
            ...more,
          } as never,
          options,
        );
      const base = machine({ environment: "e", environmentId, pool: "base", name: "base-1" });
      const burst = machine({ environment: "e", environmentId, pool: "azure", burst: "b7", name: "b7-n1" });
      return { host: base.host, id: base.providerId, vmId: base.vmId, zone: base.zone, burst: burst.providerId };
    },
  });
  try {
    const { outputs, stdout } = await tested.stack.up({ onOutput: () => undefined });
    console.log(
      JSON.stringify(outputs),
      stdout
        .split("\n")
        .filter((line) => /warn/i.test(line))
        .join("\n"),
    );
    const again = await tested.stack.up({ refresh: true });
    console.log(JSON.stringify(again.summary.resourceChanges));
    const listed = await azureProvider.list(environmentId, {
      directory: "",
      hosts: [],
      identityOf: async () => undefined,
      clouds: { azure: { regions: ["westeurope"], subscription: cloud.subscription } },
    } as never);
    console.log(JSON.stringify(listed, undefined, 1));
    market = "on-demand";
    console.log(JSON.stringify((await tested.stack.up()).summary.resourceChanges));
    const burst = (
      await azureProvider.list(environmentId, {
        directory: "",
        hosts: [],
        identityOf: async () => undefined,
        clouds: { azure: { regions: ["westeurope"], subscription: cloud.subscription } },
      } as never)
    ).machines.find(({ burst }) => burst);
    if (burst) {
      console.log(await azureProvider.status(burst.machine));
      await azureProvider.delete(burst.machine);
      console.log(await azureProvider.status(burst.machine));
    }
    await tested.stack.refresh();
    console.log(JSON.stringify((await tested.stack.up()).summary.resourceChanges));
    await tested.stack.destroy();
    expect(cloud.arm.ids()).toEqual([]);
    expect(cloud.arm.unknown).toEqual([]);
  } finally {
    tested.remove();
    await cloud.stop();
  }
});
