/** What a teardown finds in clouds beside the engine's state: what runs that were killed had made and nobody has recorded. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { ListedThing } from "../../providers/provider.ts";
import { providerOf } from "../../providers/registry.ts";
import { type CloudScopes, cloudScopes } from "../cloud-scopes.ts";
import { replaceFile } from "../replace-file.ts";
import { readSettings } from "../settings-file.ts";
import { stateLayout } from "../state-layout.ts";
import { listClouds } from "./found-in-clouds.ts";
import { type KnownMachines, knownMachines } from "./machines.ts";
import { deleteRole, roleAtAzure } from "./role-at-azure.ts";

/** Where an environment that is to go may have something; kept apart from its state, which goes. */
export interface CloudTraces {
  readonly environmentId: string;
  readonly clouds: CloudScopes;
  readonly recorded: KnownMachines["ids"];
}

/**
 * Undefined where the settings name no cloud. Asked before the engine destroys what it knows, and written down: with the
 * authority the environment's id goes out of the state, and a teardown that died after that has to find what it left.
 */
export async function cloudTraces(environment: string): Promise<CloudTraces | undefined> {
  const { pools, burst } = readSettings(environment);
  const named = [...Object.values(pools), ...Object.values(burst?.pools ?? {})];
  if (Object.keys(cloudScopes(named)).length === 0) return undefined;
  const kept = readKept(environment);
  if (kept !== undefined) return kept;
  const { environmentId, machines, ids } = await knownMachines(environment);
  const used = machines.map(({ machine: { provider, attributes } }) => ({ provider, region: attributes.region }));
  const clouds = cloudScopes([...named, ...used]);
  if (environmentId === undefined) return undefined;
  replaceFile(fileOf(environment), JSON.stringify({ environmentId, clouds, recorded: [...ids] }), { file: 0o600, directory: 0o700 });
  return { environmentId, clouds, recorded: ids };
}

const keptTraces = z.object({
  environmentId: z.string(),
  clouds: z.record(z.string(), z.object({ regions: z.array(z.string()) })),
  recorded: z.array(z.string()).transform((ids) => new Set(ids)),
});

/** Undefined when no teardown has begun. */
function readKept(environment: string): CloudTraces | undefined {
  const file = fileOf(environment);
  return existsSync(file) ? keptTraces.parse(JSON.parse(readFileSync(file, "utf8"))) : undefined;
}

/** An `up` after a teardown that was broken off makes things that are not to be taken for its rests. */
export function forgetTraces(environment: string): void {
  rmSync(fileOf(environment), { force: true });
}

/** Goes with the environment's own state. */
function fileOf(environment: string): string {
  return join(stateLayout(environment).root, "teardown-in-clouds.json");
}

/** Ends machines of node pools that the state does not know: a network can't go while they are in it. */
export async function endUnrecordedMachines(
  environment: string,
  { environmentId, clouds, recorded }: CloudTraces,
  onNotice: (text: string) => void,
): Promise<void> {
  const listings = await listClouds(environment, environmentId, clouds);
  const strange = listings
    .flatMap(({ machines }) => machines)
    .filter(({ burst, machine }) => burst === undefined && !recorded.has(machine.providerId));
  await Promise.all(
    strange.map(async ({ machine }) => {
      onNotice(`machine ${machine.name} (${machine.providerId}) is in no state, as a run that was killed leaves one: ending it`);
      await withCrashPoint("cloud.sweep", () => providerOf(machine.provider).delete(machine));
    }),
  );
}

/** Deletes what is still there under the environment's tag. Throws `left-in-cloud` with all that stays, and what it costs. */
export async function endTraces(
  environment: string,
  { environmentId, clouds }: CloudTraces,
  onNotice: (text: string) => void,
): Promise<void> {
  const before = await listClouds(environment, environmentId, clouds);
  for (const { machine } of before.flatMap(({ machines }) => machines)) {
    onNotice(`machine ${machine.name} (${machine.providerId}) is still there: ending it`);
    await withCrashPoint("cloud.sweep", () => providerOf(machine.provider).delete(machine));
  }
  for (const thing of inOrder(before.flatMap(({ things }) => things))) {
    onNotice(`the ${thing.kind} ${thing.id} is still there: deleting it`);
    await withCrashPoint("cloud.sweep", () => providerOf(thing.provider).deleteThing?.(thing));
  }
  // After the groups of bursts, with which go those who have it.
  const role = await roleAtAzure(environmentId, clouds);
  if (role !== undefined) {
    onNotice(`the role ${role.id} is still there: deleting it`);
    await deleteRole(role);
  }
  if (before.every(({ machines, things }) => machines.length + things.length === 0)) return;
  const after = await listClouds(environment, environmentId, clouds);
  const left = after.flatMap(({ machines, things }) => [
    ...machines.map(({ machine }) => `machine ${machine.name} (${machine.providerId})`),
    ...things.map(({ kind, id, hourly }) => `the ${kind} ${id}${hourly === undefined ? "" : `, ${hourly} USD/hour`}`),
  ]);
  if (left.length === 0) return;
  throw new SpillwayError(`still there after all: ${left.join("; ")}`, {
    code: "left-in-cloud",
    where: `environment ${environment}`,
    hint: `Run it again: ./spillway destroy ${environment}. By hand: delete what bears the tag spillway:environment-id = ${environmentId}.`,
  });
}

type Kind = ListedThing["kind"];

/** What others stand on goes after them. */
const order: readonly Kind[] = ["interface", "address", "disk", "key", "security-group", "network", "resource-group"];
/** At Azure a network holds its security group and its NAT gateway, which holds an address, and an interface its address. */
const orderAtAzure: readonly Kind[] = ["interface", "network", "address", "disk", "key", "security-group", "resource-group"];

/** As they can be deleted one after the other; pure. */
export function inOrder(things: readonly ListedThing[]): ListedThing[] {
  const rank = ({ kind, provider, id }: ListedThing) =>
    (provider === "azure" ? orderAtAzure : order).indexOf(kind) + (/\/natGateways\//i.test(id) ? 0.5 : 0);
  return things.toSorted((a, b) => rank(a) - rank(b));
}
