/** Labs run beside each other: each takes a numbered slot, which is its directory, its addresses and the names of all it makes. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, type ProcessIdentity, processIdentity } from "./processes.ts";

/** All labs of this machine. Not in /tmp, which is often in memory; an overlay's upper directory must not lie on an overlay. */
export const labsDirectory = "/var/tmp/spillway-lab";
/** Held while a slot is taken or a dead lab is swept. Holds the number that was taken last. */
export const labsLock = "/run/spillway-lab.lock";

/** 10.213.0.0/16 in parts of eight /24: seven sites and the way to this machine. */
const slots = 32;
export const sitesPerLab = 7;

export interface LabSlot {
  readonly number: number;
  /** Everything the lab writes. */
  readonly directory: string;
  /** Prefix of what is named machine-wide: links, network namespace, control groups, containers. */
  readonly prefix: string;
}

export function labSlot(number: number): LabSlot {
  return { number, directory: join(labsDirectory, String(number)), prefix: `spw${number}` };
}

/** Third byte of a site's network 10.213.N.0/24; the last of the slot's eight is the way to this machine. */
export function siteByte(slot: LabSlot, site: number | "machine"): number {
  return slot.number * (sitesPerLab + 1) + (site === "machine" ? sitesPerLab : site);
}

/** Takes a free slot for this process, by turns: a number comes again late. Call it under `labsLock`, after sweeping. */
export function claimSlot(): LabSlot {
  const first = Number(readFileSync(labsLock, "utf8")) + 1;
  const slot = Array.from({ length: slots }, (_, after) => labSlot((first + after) % slots)).find(
    ({ directory, prefix }) => !existsSync(directory) && !existsSync(`/sys/class/net/${prefix}`),
  );
  if (slot === undefined) throw new Error(`all ${slots} slots for labs are taken: node test/lab/support/sweep.ts`);
  mkdirSync(slot.directory, { recursive: true, mode: 0o711 });
  writeFileSync(join(slot.directory, "owner.json.new"), JSON.stringify(processIdentity(process.pid)));
  renameSync(join(slot.directory, "owner.json.new"), join(slot.directory, "owner.json"));
  writeFileSync(labsLock, String(slot.number));
  return slot;
}

/** Slots with a directory, and whether the process that booted the lab still lives. */
export function takenSlots(): { readonly slot: LabSlot; readonly owned: boolean }[] {
  if (!existsSync(labsDirectory)) return [];
  return readdirSync(labsDirectory)
    .filter((name) => /^\d+$/.test(name))
    .map((name) => labSlot(Number(name)))
    .map((slot) => ({ slot, owned: hasLivingOwner(slot) }));
}

function hasLivingOwner(slot: LabSlot): boolean {
  try {
    return isAlive(JSON.parse(readFileSync(join(slot.directory, "owner.json"), "utf8")) as ProcessIdentity);
  } catch {
    // It died while it took the slot.
    return false;
  }
}
