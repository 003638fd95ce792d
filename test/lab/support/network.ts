/**
 * A lab's network: a router in a network namespace of its own, a bridge there for each site, one link to this machine.
 * Nothing of this machine's own networking is changed, and all of it goes with the namespace. No way leads out of the lab.
 */
import { type LabSlot, siteByte } from "./lab-slot.ts";
import { outputOf, runProgram } from "./run-program.ts";

export interface Site {
  readonly name: string;
  /** Position in the lab; decides the addresses. */
  readonly number: number;
  /** The router's end, inside its namespace. */
  readonly bridge: string;
  /** `10.213.N.0/24`. */
  readonly network: string;
  readonly gateway: string;
}

export function siteOf(slot: LabSlot, name: string, number: number): Site {
  const byte = siteByte(slot, number);
  return { name, number, bridge: `br${number}`, network: `10.213.${byte}.0/24`, gateway: `10.213.${byte}.1` };
}

/** The `number`-th host's address in a site: .11, .12 … */
export function hostAddress(slot: LabSlot, site: Site, number: number): string {
  return `10.213.${siteByte(slot, site.number)}.${11 + number}`;
}

/** This machine's address as hosts of every site see it. */
export function machineAddress(slot: LabSlot): string {
  return `10.213.${siteByte(slot, "machine")}.1`;
}

/** argv that runs a program in the router's network namespace. */
export function inRouter(slot: LabSlot, argv: readonly string[]): string[] {
  return ["nsenter", `--net=/run/netns/${slot.prefix}`, "--", ...argv];
}

export async function makeNetwork(slot: LabSlot, sites: readonly Site[]): Promise<void> {
  const { prefix } = slot;
  const wan = siteByte(slot, "machine");
  await ip("netns", "add", prefix);
  await ip("link", "add", prefix, "type", "veth", "peer", "name", "machine", "netns", prefix);
  await ip("addr", "add", `${machineAddress(slot)}/24`, "dev", prefix);
  await ip("link", "set", "dev", prefix, "up");
  const lines = [
    "link set dev lo up",
    `addr add 10.213.${wan}.2/24 dev machine`,
    "link set dev machine up",
    ...sites.flatMap(({ bridge, gateway }) => [
      `link add ${bridge} address ${bridgeAddress(gateway)} type bridge`,
      `addr add ${gateway}/24 dev ${bridge}`,
      `link set dev ${bridge} up`,
    ]),
  ];
  await outputOf(["ip", "-n", prefix, "-batch", "-"], { input: `${lines.join("\n")}\n` });
  await outputOf(inRouter(slot, ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]));
  await ip("route", "add", `10.213.${siteByte(slot, 0)}.0/21`, "via", `10.213.${wan}.2`);
}

/**
 * The gateway's address on the link, made of its IP address. Without one of its own a bridge takes the lowest of its ports', which
 * changes when a host goes: the others would send into the void for some seconds.
 */
function bridgeAddress(gateway: string): string {
  const bytes = gateway.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"));
  return ["02", "00", ...bytes].join(":");
}

/** From now on no packet leaves or reaches the site: they vanish in silence, as on a broken line. Its hosts still see each other. */
export async function cutSite(slot: LabSlot, site: Site): Promise<void> {
  for (const rule of cuttingRules(site)) await ip("-n", slot.prefix, "rule", "add", ...rule);
}

export async function mendSite(slot: LabSlot, site: Site): Promise<void> {
  for (const rule of cuttingRules(site)) await ip("-n", slot.prefix, "rule", "del", ...rule);
}

/** One pair of rules a site, numbered by it. */
function cuttingRules(site: Site): string[][] {
  const preference = ["pref", String(100 + site.number)];
  return [
    [...preference, "iif", site.bridge, "blackhole"],
    [...preference, "to", site.network, "blackhole"],
  ];
}

/** Deletes the namespace with all that is in it; the link to this machine and its route go along. Nothing there is fine. */
export async function removeNetwork(slot: LabSlot): Promise<void> {
  await runProgram(["ip", "link", "del", slot.prefix]);
  await runProgram(["ip", "netns", "del", slot.prefix]);
}

async function ip(...words: string[]): Promise<void> {
  await outputOf(["ip", ...words]);
}
