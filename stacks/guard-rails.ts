/**
 * Guard rails: what nobody should write by accident for machines in clouds. Each has a name, by which it can be set aside
 * with a reason; the reason is told by every `up` and kept among the stack's outputs.
 */

import { z } from "zod";
import { matchesWildcard } from "../providers/wildcard.ts";
import type { AwsPool, AzurePool } from "./cloud-settings.ts";
import type { Path } from "./settings-error.ts";

export const guardRailNames = ["ssh-open-to-all", "master-open-to-all", "region-not-allowed", "type-not-allowed"] as const;
export type GuardRail = (typeof guardRailNames)[number];

const pattern = z.string().min(1).describe("with * for any characters");

export const guardRails = z
  .strictObject({
    regions: z.array(pattern).optional().describe("regions in which there may be machines: eu-*, westeurope (default: any)"),
    types: z.array(pattern).optional().describe("types that node pools may be of: m7i.*, Standard_D* (default: any)"),
    override: z
      .partialRecord(z.enum(guardRailNames), z.string().min(10, "write a reason of at least 10 characters: it is recorded"))
      .default({})
      .describe("a rule's name → why it does not hold here"),
  })
  .prefault({});
export type GuardRails = z.infer<typeof guardRails>;

type OwnPool = { readonly provider: "local" } | { readonly provider: "ssh" };
type GuardedPool = Pick<AwsPool | AzurePool, "provider" | "sshFrom" | "masterFrom" | "region" | "instanceType" | "types">;
type GuardedBurstPool = { readonly provider: "aws" | "azure"; readonly sshFrom: readonly string[]; readonly regions: readonly string[] };

/** What the rules look at, before and after the settings are filled in. */
interface Guarded {
  readonly guards: GuardRails;
  readonly pools: Readonly<Record<string, OwnPool | GuardedPool>>;
  readonly burst?: { readonly pools: Readonly<Record<string, OwnPool | GuardedBurstPool>> } | undefined;
}

export interface Breach {
  readonly rule: GuardRail;
  readonly path: Path;
  /** A sentence without its subject. */
  readonly problem: string;
}

/** All that stands against the rules, set aside or not; pure. Disks are encrypted and passwords are off whatever is written. */
export function breachesOf({ guards, pools, burst }: Guarded): Breach[] {
  const found: Breach[] = [];
  for (const [name, pool] of Object.entries(pools)) {
    if (pool.provider === "local" || pool.provider === "ssh") continue;
    const at = ["pools", name];
    found.push(...openings([...at, "sshFrom"], pool.sshFrom, "ssh-open-to-all"));
    found.push(...openings([...at, "masterFrom"], pool.masterFrom, "master-open-to-all"));
    found.push(...strange([...at, "region"], [pool.region], guards.regions, "region-not-allowed"));
    found.push(
      ...strange([...at, "instanceType"], pool.instanceType === undefined ? [] : [pool.instanceType], guards.types, "type-not-allowed"),
    );
  }
  for (const [name, pool] of Object.entries(burst?.pools ?? {})) {
    if (pool.provider === "local" || pool.provider === "ssh") continue;
    const at = ["burst", "pools", name];
    found.push(...openings([...at, "sshFrom"], pool.sshFrom, "ssh-open-to-all"));
    found.push(...strange([...at, "regions"], pool.regions, guards.regions, "region-not-allowed"));
  }
  return found;
}

/** A rule that is set aside and what it was set aside for, as a sentence each. */
export function overridesOf(settings: Guarded): string[] {
  const used = new Set(breachesOf(settings).map(({ rule }) => rule));
  // Which type will be chosen nobody knows yet.
  if (settings.guards.types !== undefined && Object.values(settings.pools).some(isChosen)) used.add("type-not-allowed");
  return guardRailNames.flatMap((rule) => {
    const reason = settings.guards.override[rule];
    return reason === undefined || !used.has(rule) ? [] : [`the guard rail ${rule} is set aside: ${reason}`];
  });
}

/** The types of which one may be chosen for a node pool that says what it must have; undefined: any. */
export function allowedTypes({ types, override }: GuardRails): readonly string[] | undefined {
  return override["type-not-allowed"] === undefined ? types : undefined;
}

function isChosen(pool: OwnPool | GuardedPool): boolean {
  return "types" in pool && pool.types !== undefined;
}

function openings(path: Path, blocks: readonly string[], rule: GuardRail): Breach[] {
  return blocks.flatMap((block, index) =>
    isWorld(block)
      ? [{ rule, path: [...path, index], problem: `${block} lets in the whole world: write your own addresses, e.g. 203.0.113.7/32` }]
      : [],
  );
}

/**
 * The whole world, or a good part of it: wider than any one owner's block. Of IPv4 nobody has more than a /8 (IANA's registry
 * of IPv4 addresses); of IPv6 the registries themselves got /12 and their members /16 at the most.
 */
function isWorld(block: string): boolean {
  return Number(block.split("/")[1]) < (block.includes(":") ? 16 : 8);
}

function strange(path: Path, written: readonly string[], allowed: readonly string[] | undefined, rule: GuardRail): Breach[] {
  if (allowed === undefined) return [];
  return written.flatMap((one) =>
    allowed.some((each) => matchesWildcard(each, one))
      ? []
      : [{ rule, path, problem: `${one} is none of those that guards allow: ${allowed.join(", ")}` }],
  );
}
