/** Azure's provider against a double of Azure Resource Manager, through Azure's own SDKs. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Machine } from "../../agent/contract/machine.ts";
import { fetchAzureCatalog } from "../../providers/azure/catalog.ts";
import { endArgv } from "../../providers/azure/end-script.ts";
import { azureProvider } from "../../providers/azure/pool.ts";
import type { ListScope } from "../../providers/provider.ts";
import { type ArmDouble, startArmDouble } from "../doubles/azure/arm.ts";

const subscription = "0b1f6471-1bf0-4dda-aec3-cb9272f09590";
const environmentId = "5f0a1c9e-6a1e-4b59-9a5d-3f1f8a0f7d11";
const token = "a-token-that-is-nobodys";
const groups = `/subscriptions/${subscription}/resourceGroups`;
const shared = `${groups}/spillway-env-westeurope`;
const bursts = `${groups}/spillway-env-b7`;
const location = "westeurope";
const scope: ListScope = {
  directory: "",
  hosts: [],
  identityOf: async () => undefined,
  clouds: { azure: { regions: ["westeurope"], subscription } },
};

let azure: ArmDouble;

beforeEach(async () => {
  azure = await startArmDouble({ token });
  vi.stubEnv("SPILLWAY_AZURE_ENDPOINT", azure.url);
  vi.stubEnv("SPILLWAY_AZURE_PRICES", azure.pricesUrl);
  vi.stubEnv("AZURE_ACCESS_TOKEN", token);
  vi.stubEnv("AZURE_SUBSCRIPTION_ID", subscription);
  const tags = { "spillway:environment-id": environmentId, "spillway:environment": "prod" };
  azure.put({ id: shared, location, tags }, { id: bursts, location, tags: { ...tags, "spillway:burst": "b7" } });
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await azure.close();
  if (azure.unknown.length > 0) throw new Error(`the double was asked what it does not know: ${azure.unknown.join(", ")}`);
});

interface Wanted {
  readonly name: string;
  readonly group?: string;
  readonly burst?: string;
  readonly environment?: string;
  readonly keepsAddress?: boolean;
  readonly spot?: boolean;
  readonly zone?: string;
  readonly size?: string;
}

/** A machine with interface, disk and address, as Azure has them once they are made; its disk bears no tags. */
function putMachine({
  name,
  group = shared,
  burst,
  environment = environmentId,
  keepsAddress = false,
  spot = false,
  zone,
  size = "Standard_D2s_v5",
}: Wanted): Machine {
  const tags = {
    "spillway:environment-id": environment,
    "spillway:pool": burst === undefined ? "base" : "azure",
    "spillway:node": name,
    ...(burst === undefined ? {} : { "spillway:burst": burst }),
  };
  const network = `${group}/providers/Microsoft.Network`;
  const [address, card] = [`${network}/publicIPAddresses/${name}-address`, `${network}/networkInterfaces/${name}-interface`];
  const machine = `${group}/providers/Microsoft.Compute/virtualMachines/${name}`;
  const disk = `${group}/providers/Microsoft.Compute/disks/${name}-disk`;
  const deleteOption = keepsAddress ? "Detach" : "Delete";
  azure.put(
    { id: address, location, tags, properties: { ipAddress: "203.0.113.40", deleteOption } },
    {
      id: card,
      location,
      tags,
      properties: {
        ipConfigurations: [{ name: "machine", properties: { privateIPAddress: "10.200.0.4", publicIPAddress: { id: address } } }],
      },
    },
    { id: disk, location, managedBy: machine },
    {
      id: machine,
      location,
      tags,
      ...(zone === undefined ? {} : { zones: [zone] }),
      properties: {
        vmId: `vm-id-of-${name}`,
        hardwareProfile: { vmSize: size },
        storageProfile: { osDisk: { deleteOption: "Delete", managedDisk: { id: disk } } },
        networkProfile: { networkInterfaces: [{ id: card, properties: { primary: true, deleteOption } }] },
        osProfile: { adminUsername: "spillway", customData: "c2VjcmV0" },
        timeCreated: "2026-11-20T08:00:00.000Z",
        ...(spot ? { priority: "Spot" } : {}),
      },
    },
  );
  return {
    name,
    pool: tags["spillway:pool"],
    provider: "azure",
    providerId: machine.toLowerCase(),
    host: "203.0.113.40",
    port: 22,
    user: "spillway",
    credential: { kind: "agent" },
    labels: {},
    attributes: {},
    ...(burst === undefined ? {} : { burst }),
  };
}

function present(...parts: readonly string[]): boolean[] {
  return parts.map((part) => azure.ids().some((id) => id.toLowerCase().endsWith(part.toLowerCase())));
}

describe("what Azure says of a machine", () => {
  it.each([
    ["running", "running"],
    ["starting", "running"],
    ["stopped", "stopped"],
    ["deallocating", "stopped"],
    ["deallocated", "stopped"],
  ] as const)("with the power state %s is: %s", async (power, status) => {
    const machine = putMachine({ name: "m1" });
    azure.setPower(machine.providerId, power);
    expect(await azureProvider.status(machine)).toBe(status);
  });

  it("is that it is gone when it, or its whole group, is not there", async () => {
    const machine = putMachine({ name: "m1" });
    const elsewhere = { ...machine, providerId: machine.providerId.replace("env-westeurope", "env-nowhere") };
    expect(await azureProvider.status({ ...machine, providerId: machine.providerId.replace(/m1$/, "m2") })).toBe("gone");
    expect(await azureProvider.status(elsewhere)).toBe("gone");
  });

  it("is nothing when it can't be asked: a refusal is no word on the machine", async () => {
    const machine = putMachine({ name: "m1" });
    azure.refuseNext(1, 403, "AuthorizationFailed", "The client has no permission.");
    await expect(azureProvider.status(machine)).rejects.toMatchObject({
      code: "cloud-not-allowed",
      where: expect.stringContaining("m1"),
      message: expect.stringContaining("The client has no permission."),
    });
    vi.stubEnv("AZURE_ACCESS_TOKEN", "expired");
    // Clients keep their token, so that this is another subscription's.
    const other = { ...machine, providerId: machine.providerId.replace(subscription, "another") };
    const refused = azureProvider.status(other);
    await expect(refused).rejects.toMatchObject({ code: "cloud-credentials" });
    await expect(refused).rejects.not.toThrow(/expired/);
  });
});

describe("the list of an environment", () => {
  it("has its machines by their tag, each with what it takes to reach it and what it is", async () => {
    const mine = putMachine({ name: "b7-n1", group: bursts, burst: "b7", spot: true, zone: "2", size: "Standard_D4ps_v6" });
    putMachine({ name: "base-1" });
    putMachine({ name: "theirs", environment: "another" });
    azure.setPower(`${shared}/providers/Microsoft.Compute/virtualMachines/base-1`, "deallocated");
    const { machines, unasked } = await azureProvider.list(environmentId, scope);
    expect(unasked).toEqual([]);
    expect(machines).toEqual([
      {
        machine: {
          ...mine,
          attributes: {
            cloud: "azure",
            region: "westeurope",
            zone: "2",
            instanceType: "Standard_D4ps_v6",
            market: "spot",
            arch: "arm64",
            vmId: "vm-id-of-b7-n1",
          },
        },
        environmentId,
        burst: "b7",
        status: "running",
        madeAt: Date.parse("2026-11-20T08:00:00.000Z"),
      },
      {
        machine: expect.objectContaining({
          name: "base-1",
          pool: "base",
          attributes: expect.objectContaining({ market: "on-demand", arch: "x64" }),
        }),
        environmentId,
        status: "stopped",
        madeAt: expect.any(Number),
      },
    ]);
    expect(machines[1]).not.toHaveProperty("burst");
  });

  it("calls a machine by the same id that it is asked about, however Azure spells it", async () => {
    const machine = putMachine({ name: "b7-n1", group: bursts, burst: "b7" });
    const { machines } = await azureProvider.list(environmentId, scope);
    expect(machines.map((one) => one.machine.providerId)).toEqual([machine.providerId]);
    expect(await azureProvider.status(machines[0]?.machine ?? machine)).toBe("running");
  });

  it("has what hangs on machines, also a disk without tags, and tells on which", async () => {
    const machine = putMachine({ name: "base-1" });
    const { things } = await azureProvider.list(environmentId, scope);
    expect(things.map(({ kind, of }) => ({ kind, of }))).toEqual([
      { kind: "disk", of: machine.providerId },
      { kind: "interface", of: machine.providerId },
      { kind: "address", of: machine.providerId },
      // No machine is in it.
      { kind: "resource-group", of: undefined },
    ]);
    expect(things.at(-1)).toMatchObject({ id: bursts, burst: "b7", environmentId, region: "westeurope" });
  });

  it("has what a burst left behind, also what bears no tag, since it is in the burst's group", async () => {
    azure.put({ id: `${bursts}/providers/Microsoft.Compute/disks/left-over`, location });
    azure.put({ id: `${shared}/providers/Microsoft.Compute/disks/someone-elses`, location });
    const { things } = await azureProvider.list(environmentId, scope);
    expect(things.filter(({ kind }) => kind === "disk")).toEqual([
      expect.objectContaining({ id: `${bursts}/providers/Microsoft.Compute/disks/left-over`, burst: "b7" }),
    ]);
    expect(things.find(({ kind }) => kind === "disk")).not.toHaveProperty("of");
  });

  it("is empty for another environment, and for one that was never at Azure nobody is asked", async () => {
    putMachine({ name: "base-1" });
    expect(await azureProvider.list("none", scope)).toEqual({ machines: [], things: [], unasked: [] });
    const asked = azure.requests.length;
    expect(await azureProvider.list(environmentId, { ...scope, clouds: {} })).toEqual({ machines: [], things: [], unasked: [] });
    expect(azure.requests).toHaveLength(asked);
  });

  it("is no list when a part of it can't be read", async () => {
    azure.refuseNext(1, 403, "AuthorizationFailed", "no");
    await expect(azureProvider.list(environmentId, scope)).rejects.toMatchObject({ code: "cloud-not-allowed" });
  });
});

describe("deleting a machine", () => {
  it("takes all that hangs on it along, and once more is no error", async () => {
    const machine = putMachine({ name: "base-1" });
    putMachine({ name: "base-2" });
    await azureProvider.delete(machine);
    expect(await azureProvider.status(machine)).toBe("gone");
    expect(present("base-1", "base-1-disk", "base-1-interface", "base-1-address")).toEqual([false, false, false, false]);
    expect(present("base-2", "base-2-disk", "base-2-interface", "base-2-address")).toEqual([true, true, true, true]);
    await azureProvider.delete(machine);
  });

  it("deletes a kept address too, after the interface that holds it", async () => {
    const machine = putMachine({ name: "base-1", keepsAddress: true });
    await azureProvider.delete(machine);
    expect(present("base-1", "base-1-disk", "base-1-interface", "base-1-address")).toEqual([false, false, false, false]);
  });

  it("leaves another environment's things alone that bear the name of its node", async () => {
    const machine = putMachine({ name: "base-1" });
    const tags = { "spillway:environment-id": "another", "spillway:node": "base-1" };
    azure.put({ id: `${shared}/providers/Microsoft.Compute/disks/theirs`, location, tags });
    await azureProvider.delete(machine);
    expect(present("disks/theirs", "base-1-disk")).toEqual([true, false]);
  });

  it("deletes its burst's whole group when nothing else is in it", async () => {
    const machine = putMachine({ name: "b7-n1", group: bursts, burst: "b7" });
    await azureProvider.delete(machine);
    expect(present("spillway-env-b7")).toEqual([false]);
    expect(azure.requests).toContain(`DELETE /subscriptions/${subscription}/resourcegroups/spillway-env-b7`);
    await azureProvider.delete(machine);
  });

  it("leaves its siblings in the burst's group alone, and the last one takes the group", async () => {
    const [first, second] = ["b7-n1", "b7-n2"].map((name) => putMachine({ name, group: bursts, burst: "b7" }));
    if (first === undefined || second === undefined) throw new Error("none was put");
    await azureProvider.delete(first);
    expect(await azureProvider.status(first)).toBe("gone");
    expect(await azureProvider.status(second)).toBe("running");
    expect(present("b7-n2-disk", "b7-n2-interface", "spillway-env-b7")).toEqual([true, true, true]);
    await azureProvider.delete(second);
    expect(present("spillway-env-b7")).toEqual([false]);
  });

  it("never deletes a group that is not its burst's, whatever is recorded of the machine", async () => {
    const machine = putMachine({ name: "base-1", burst: "b7" });
    await azureProvider.delete(machine);
    expect(await azureProvider.status(machine)).toBe("gone");
    expect(present("spillway-env-westeurope")).toEqual([true]);
  });
});

describe("a machine that has taken the place of another of the same name", () => {
  it("is not taken for the one before it, of which Azure's own UUID is known", async () => {
    const fresh = putMachine({ name: "base-1" });
    const old = { ...fresh, attributes: { vmId: "vm-id-of-the-one-before" } };
    expect(await azureProvider.status(old)).toBe("gone");
    await expect(azureProvider.start(old)).rejects.toMatchObject({ code: "machine-gone" });
    await azureProvider.delete(old);
    expect(await azureProvider.status({ ...fresh, attributes: { vmId: "VM-ID-OF-BASE-1" } })).toBe("running");
  });
});

describe("deleting a thing", () => {
  async function thingOf(kind: string) {
    const { things } = await azureProvider.list(environmentId, scope);
    const thing = things.find((one) => one.kind === kind);
    if (thing === undefined || azureProvider.deleteThing === undefined) throw new Error(`no ${kind} is listed`);
    return thing;
  }

  it("deletes a disk, and once more without complaint", async () => {
    azure.put({ id: `${bursts}/providers/Microsoft.Compute/disks/left-over`, location });
    const disk = await thingOf("disk");
    await azureProvider.deleteThing?.(disk);
    expect(present("left-over")).toEqual([false]);
    await azureProvider.deleteThing?.(disk);
  });

  it("deletes a group that no machine is in, with all else in it", async () => {
    azure.put({ id: `${bursts}/providers/Microsoft.Network/networkInterfaces/left-over`, location });
    putMachine({ name: "base-1" });
    const group = await thingOf("resource-group");
    await azureProvider.deleteThing?.(group);
    expect(present("spillway-env-b7", "left-over")).toEqual([false, false]);
    await azureProvider.deleteThing?.(group);
  });

  it("leaves a group that a machine has come into since it was listed, and one of someone else", async () => {
    putMachine({ name: "base-1" });
    const group = await thingOf("resource-group");
    putMachine({ name: "b7-n1", group: bursts, burst: "b7" });
    await expect(azureProvider.deleteThing?.(group)).rejects.toMatchObject({ code: "thing-in-use" });
    azure.put({ id: `${groups}/theirs`, location, tags: { "spillway:environment-id": "another" } });
    await expect(azureProvider.deleteThing?.({ ...group, id: `${groups}/theirs` })).rejects.toMatchObject({ code: "thing-in-use" });
    expect(present("spillway-env-b7", "b7-n1", "/theirs")).toEqual([true, true, true]);
  });

  it("tells what Azure says when something still holds it", async () => {
    putMachine({ name: "base-1" });
    const card = await thingOf("interface");
    await expect(azureProvider.deleteThing?.(card)).rejects.toMatchObject({ message: expect.stringContaining("NicInUse") });
  });
});

describe("starting a machine", () => {
  let ssh: Server;
  beforeEach(async () => {
    ssh = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.end("SSH-2.0-double\r\n");
    });
    await new Promise<void>((resolve) => {
      ssh.listen(0, "127.0.0.1", resolve);
    });
  });
  afterEach(() => {
    ssh.close();
  });

  it("switches it on and waits until it can be dialled; a running one is left as it is", async () => {
    const port = (ssh.address() as AddressInfo).port;
    const machine = { ...putMachine({ name: "m1" }), host: "127.0.0.1", port };
    azure.setPower(machine.providerId, "deallocated");
    await azureProvider.start(machine);
    expect(await azureProvider.status(machine)).toBe("running");
    const before = azure.requests.length;
    await azureProvider.start(machine);
    expect(azure.requests.slice(before).some((request) => request.startsWith("POST"))).toBe(false);
  });

  it("says of one that is gone that it is gone", async () => {
    const machine = putMachine({ name: "m1" });
    await azureProvider.delete(machine);
    await expect(azureProvider.start(machine)).rejects.toMatchObject({ code: "machine-gone" });
  });
});

describe("the command by which a burst's machine ends itself", () => {
  const fetchers = ["curl", "wget", "python3"].filter((program) => where(program) !== undefined);

  it.each(fetchers)("deletes its group as the last machine in it, else only itself, with %s", async (program) => {
    const bin = onlyWith(program);
    const [first, second] = ["b7-n1", "b7-n2"].map((name) => putMachine({ name, group: bursts, burst: "b7" }));
    if (first === undefined || second === undefined) throw new Error("none was put");
    await end(first.providerId, bin);
    expect(azure.requests.findLast((request) => request.startsWith("DELETE"))?.toLowerCase()).toBe(`delete ${first.providerId}`);
    await settle(first);
    await end(second.providerId, bin);
    expect(azure.requests.findLast((request) => request.startsWith("DELETE"))?.toLowerCase()).toBe(`delete ${bursts.toLowerCase()}`);
    rmSync(bin, { recursive: true });
  });

  it("is none for a machine of a node pool, which has no identity to end itself by", () => {
    expect(azureProvider.endCommand(putMachine({ name: "base-1" }))).toEqual([]);
  });

  it("asks Azure itself when nothing else is named", () => {
    vi.stubEnv("SPILLWAY_AZURE_ENDPOINT", undefined);
    const [shell, option, script = "", ...words] = azureProvider.endCommand(putMachine({ name: "b7-n1", group: bursts, burst: "b7" }));
    expect([shell, option]).toEqual(["/bin/sh", "-c"]);
    expect(script).not.toContain("http");
    expect(words.slice(-2)).toEqual([
      "https://management.azure.com",
      expect.stringMatching(/^http:\/\/169\.254\.169\.254\/metadata\/identity\//),
    ]);
  });

  /** The double is served by this very process, so that it must go on while the script runs. */
  async function end(providerId: string, bin: string): Promise<void> {
    const [shell = "", ...words] = endArgv(providerId, azure.url, azure.tokenUrl);
    const child = spawn(shell, words, {
      env: { PATH: bin },
      stdio: ["ignore", "ignore", "inherit"],
      timeout: 20_000,
      killSignal: "SIGKILL",
    });
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
  }

  /** The operation that the machine began is looked at by nobody: its look is this. */
  async function settle(machine: Machine): Promise<void> {
    await azureProvider.delete(machine);
    expect(await azureProvider.status(machine)).toBe("gone");
  }

  function where(program: string): string | undefined {
    const found = (process.env.PATH ?? "").split(delimiter).map((directory) => join(directory, program));
    return found.find((path) => existsSync(path) && spawnSync(path, ["--version"]).status === 0);
  }

  /** A directory of programs that holds one fetcher only. */
  function onlyWith(program: string): string {
    const bin = mkdtempSync(join(tmpdir(), "spillway-azure-"));
    for (const name of ["sed", "tr", "grep", "sleep", "cat"]) symlinkSync(where(name) ?? `/bin/${name}`, join(bin, name));
    const real = program === "python3" ? realPython() : where(program);
    symlinkSync(real ?? "", join(bin, program));
    return bin;
  }

  /** Not a version manager's wrapper, which needs other programs. */
  function realPython(): string {
    return spawnSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).stdout.trim();
  }
});

describe("what Azure sells", () => {
  const size = (name: string, family: string, more: Record<string, string>, restrictions: object[] = []) => ({
    resourceType: "virtualMachines",
    name,
    tier: "Standard",
    family,
    locations: ["westeurope"],
    locationInfo: [{ location: "westeurope", zones: ["3", "1", "2"] }],
    capabilities: Object.entries({
      vCPUs: "2",
      MemoryGB: "8",
      HyperVGenerations: "V1,V2",
      CpuArchitectureType: "x64",
      LowPriorityCapable: "True",
      ...more,
    }).map(([key, value]) => ({ name: key, value })),
    restrictions,
  });
  const line = (serviceName: string, productName: string, skuName: string, meterName: string, retailPrice: number, more: object = {}) => ({
    currencyCode: "USD",
    tierMinimumUnits: 0,
    retailPrice,
    unitPrice: retailPrice,
    armRegionName: "westeurope",
    meterName,
    productName,
    skuName,
    serviceName,
    unitOfMeasure: "1 Hour",
    type: "Consumption",
    armSkuName: "",
    ...more,
  });

  it("is told with prices, zones and quotas, over all pages of each list", async () => {
    azure.sizes = [
      size("Standard_D2s_v5", "standardDSv5Family", {}),
      size("Standard_D2ps_v6", "standardDPSv6Family", { CpuArchitectureType: "Arm64", HyperVGenerations: "V2" }),
      size("Standard_E2s_v5", "standardESv5Family", {}, [
        { type: "Location", values: ["westeurope"], reasonCode: "NotAvailableForSubscription" },
      ]),
    ];
    azure.usages = [
      { unit: "Count", currentValue: 10, limit: 100, name: { value: "cores", localizedValue: "Total Regional vCPUs" } },
      {
        unit: "Count",
        currentValue: 4,
        limit: 3,
        name: { value: "lowPriorityCores", localizedValue: "Total Regional Low-priority vCPUs" },
      },
      { unit: "Count", currentValue: 0, limit: 10, name: { value: "standardDSv5Family", localizedValue: "Standard DSv5 Family vCPUs" } },
    ];
    const vm = "Virtual Machines";
    const ssd = { unitOfMeasure: "1/Month" };
    azure.prices = [
      line(vm, "Virtual Machines Dsv5 Series", "D2s v5", "D2s v5", 0.115, { armSkuName: "Standard_D2s_v5" }),
      line(vm, "Virtual Machines Dsv5 Series Windows", "D2s v5", "D2s v5", 0.207, { armSkuName: "Standard_D2s_v5" }),
      line(vm, "Virtual Machines Dsv5 Series", "D2s v5 Spot", "D2s v5 Spot", 0.0135, { armSkuName: "Standard_D2s_v5" }),
      line(vm, "Virtual Machines Dpsv6 Series", "D2ps v6", "D2ps v6", 0.0784, { armSkuName: "Standard_D2ps_v6" }),
      line("Storage", "Standard SSD Managed Disks", "E10 LRS", "E10 LRS Disk", 9.6, ssd),
      line("Storage", "Standard SSD Managed Disks", "E10 LRS", "E10 LRS Disk Mount", 0.53, ssd),
      line("Virtual Network", "IP Addresses", "Standard", "Standard IPv4 Static Public IP", 0.005),
    ];
    azure.evictions = [
      { size: "standard_d2s_v5", location: "westeurope", rate: "20+" },
      { size: "standard_d2s_v5", location: "eastus", rate: "0-5" },
      { size: "standard_e2s_v5", location: "westeurope", rate: "0-5" },
      { size: "standard_d2ps_v6", location: "westeurope", rate: "5-10" },
    ];
    const catalog = await fetchAzureCatalog("westeurope");
    expect(catalog).not.toHaveProperty("reclaimsUnknown");
    expect(catalog).toMatchObject({
      provider: "azure",
      region: "westeurope",
      publicAddress: 0.005,
      quota: { "": { "on-demand": 90, spot: 0 }, standarddsv5family: { "on-demand": 10 } },
    });
    expect(catalog.diskGiB).toBeCloseTo(9.6 / 128 / 730, 8);
    expect(catalog.entries).toMatchObject([
      {
        instanceType: "Standard_D2s_v5",
        arch: "x64",
        cpu: 2000,
        memory: 8192,
        zones: ["1", "2", "3"],
        onDemand: 0.115,
        spot: { "": 0.0135 },
        reclaimed: 0.2,
      },
      { instanceType: "Standard_D2ps_v6", arch: "arm64", onDemand: 0.0784, spot: {}, reclaimed: 0.05 },
    ]);
  });

  it("is not told without what each machine costs beside itself", async () => {
    azure.sizes = [size("Standard_D2s_v5", "standardDSv5Family", {})];
    await expect(fetchAzureCatalog("westeurope")).rejects.toMatchObject({ code: "prices-unknown" });
  });
});
