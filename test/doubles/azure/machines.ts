/** Keeps Azure's virtual machines and the lab's in step: what Azure says decides, but a machine that ends itself is believed too. */
import type { HostMaker, PlacedHost } from "../cloud-hosts.ts";
import type { ArmMachines } from "./put-request.ts";
import { type ArmResources, addressesOf, cardsOf, type Held } from "./resources.ts";

export interface AzureMachine<Host extends PlacedHost> {
  /** Its ARM id. */
  readonly id: string;
  /** The UUID that Azure gave it. */
  readonly vmId: string;
  /** As Azure Resource Manager holds it. */
  readonly description: Held;
  readonly host: Host;
  /** The lab's stand-in; undefined: it has no public one. */
  readonly publicAddress: string | undefined;
}

export interface MachineKeeper<Host extends PlacedHost> extends ArmMachines {
  /** What machines and addresses have become meanwhile. */
  look(): void;
  /** All that have a host, whatever their state. */
  present(): AzureMachine<Host>[];
  /** What went wrong with machines, for whoever closes the cloud. */
  readonly problems: readonly Error[];
  /** All hosts gone. */
  endAll(): Promise<void>;
}

interface Kept<Host extends PlacedHost> {
  readonly id: string;
  readonly vmId: string;
  readonly description: Held;
  readonly host: Host;
  publicAddress: string | undefined;
  /** Whether it is to be on, and has come to that. */
  wanted: "on" | "off";
  isReached: boolean;
  /** One thing after the other. */
  work: Promise<void>;
}

export function keepMachines<Host extends PlacedHost>(hosts: HostMaker<Host>, resources: () => ArmResources): MachineKeeper<Host> {
  const kept = new Map<string, Kept<Host>>();
  const problems: Error[] = [];

  const machineOf = (vm: Held): Kept<Host> => {
    const found = kept.get(vmIdOf(vm));
    if (found === undefined) throw new Error(`${vm.id} has no host`);
    return found;
  };
  const then = (machine: Kept<Host>, what: string, act: () => Promise<void>): Promise<void> => {
    const done = machine.work.then(act);
    machine.work = done.catch((cause: unknown) => {
      problems.push(new Error(`${machine.id}: ${what}: ${String(cause)}`, { cause }));
    });
    return done;
  };
  const turn = (vm: Held, wanted: "on" | "off"): Promise<void> => {
    const machine = machineOf(vm);
    machine.wanted = wanted;
    machine.isReached = false;
    return then(machine, `to be ${wanted}`, async () => {
      const { host } = machine;
      if (wanted === "on" && !host.isOn()) await host.powerOn();
      if (wanted === "off" && host.isOn()) await host.powerOff({ hard: false });
      machine.isReached = machine.wanted === wanted;
    });
  };

  return {
    problems,
    publicAddress: (location) => hosts.publicAddress(location),
    privateAddress: (location) => hosts.publicAddress(location),
    boot(vm, { network }) {
      const { location, zones } = vm;
      const { computerName, customData } = (vm.properties?.osProfile ?? {}) as { computerName?: string; customData?: string };
      const { inner, open } = addresses(resources(), vm);
      const host = hosts.place({
        instanceId: vmIdOf(vm),
        region: location,
        zone: zones?.[0] ?? "",
        userData: Buffer.from(customData ?? "", "base64").toString("utf8"),
        hostname: computerName ?? vm.name,
        ...(inner === undefined ? {} : { address: inner }),
        publicAddress: open,
        // Azure limits the answers of its metadata to no number of hops.
        hopLimit: 64,
        network,
      });
      const { id } = vm;
      const work = Promise.resolve();
      kept.set(vmIdOf(vm), { id, vmId: vmIdOf(vm), description: vm, host, publicAddress: open, wanted: "off", isReached: true, work });
      return turn(vm, "on");
    },
    start: (vm) => turn(vm, "on"),
    stop: (vm) => turn(vm, "off"),
    restart: (vm) => then(machineOf(vm), "reboot", () => machineOf(vm).host.reboot()),
    async end(vm) {
      const machine = kept.get(vmIdOf(vm));
      // One that found no place has none.
      if (machine === undefined) return;
      machine.wanted = "off";
      machine.isReached = false;
      await then(machine, "to be gone", () => machine.host.destroy());
      kept.delete(machine.vmId);
    },
    look() {
      for (const machine of kept.values()) {
        const { description, host, wanted, isReached } = machine;
        if (wanted === "on" && isReached && !host.isOn()) {
          // One that switches itself off is not deallocated: it is billed on ("States and billing status of Azure Virtual Machines").
          machine.wanted = "off";
          description.power = "stopped";
        }
        if (description.isDeleting) continue;
        const { open } = addresses(resources(), description);
        if (open === machine.publicAddress) continue;
        machine.publicAddress = open;
        void then(machine, "public address", () => host.setPublicAddress(open)).catch(() => undefined);
      }
    },
    present: () => [...kept.values()],
    async endAll() {
      await Promise.all(
        [...kept.values()].map((machine) => then(machine, "to be gone", () => machine.host.destroy()).catch(() => undefined)),
      );
      kept.clear();
    },
  };
}

function vmIdOf({ properties }: Held): string {
  return String(properties?.vmId);
}

/** Of its first interface. */
function addresses(resources: ArmResources, vm: Held): { inner: string | undefined; open: string | undefined } {
  const [first] = cardsOf(vm);
  const card = first === undefined ? undefined : resources.find(first.id);
  const { ipConfigurations = [] } = (card?.properties ?? {}) as { ipConfigurations?: { properties?: { privateIPAddress?: string } }[] };
  const [address] = card === undefined ? [] : addressesOf(card);
  const open = address === undefined ? undefined : (resources.find(address)?.properties?.ipAddress as string | undefined);
  return { inner: ipConfigurations[0]?.properties?.privateIPAddress, open };
}
