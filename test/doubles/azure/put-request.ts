/** A PUT as it is asked of Azure, and what comes of it. */
import type { FaultState } from "./faults.ts";
import { ArmRefusal, type ArmResource, type ArmResources, type Held } from "./resources.ts";

/** Who makes the machines, and has their addresses. */
export interface ArmMachines {
  publicAddress(location: string): string;
  privateAddress(location: string): string;
  /** Until it is on. */
  boot(vm: Held, how: { readonly network: boolean }): Promise<void>;
  start(vm: Held): Promise<void>;
  stop(vm: Held): Promise<void>;
  restart(vm: Held): Promise<void>;
  /** With its disk. */
  end(vm: Held): Promise<void>;
}

export interface PutWorld {
  readonly resources: ArmResources;
  readonly machines: ArmMachines;
  readonly faults: FaultState;
}

export type Body = Omit<ArmResource, "id">;
type Bag = Record<string, unknown>;

export interface Put {
  readonly held: Held;
  readonly isNew: boolean;
  /** An operation that takes long stands behind it. */
  readonly isLong: boolean;
  readonly work?: Promise<void>;
}

export interface Asked {
  readonly id: string;
  readonly body: Body;
  readonly before: Held | undefined;
  readonly world: PutWorld;
}

export function put({ id, body, before, world }: Asked, properties: Bag, { isLong = true }: { isLong?: boolean } = {}): Put {
  const held = world.resources.put({ ...body, id, properties });
  if (before !== undefined) held.power = before.power;
  return { held, isNew: before === undefined, isLong };
}

export function idIn(properties: unknown, name: string): string | undefined {
  return ((properties as Bag | undefined)?.[name] as { id?: string } | undefined)?.id;
}

/** Throws what Azure says of a thing that is named and is not there; in the same region it must be, too. */
export function checkReferences({ id, body, world }: Pick<Asked, "id" | "body" | "world">, ids: readonly (string | undefined)[]): void {
  for (const named of ids) {
    if (named === undefined) continue;
    const [, owner = named, subnet] = /^(.+)\/subnets\/([^/]+)$/i.exec(named) ?? [];
    const found = world.resources.find(owner);
    const isThere = subnet === undefined || ((found?.properties?.subnets ?? []) as { name: string }[]).some(({ name }) => name === subnet);
    if (found === undefined || !isThere || found.location !== body.location)
      throw new ArmRefusal(
        400,
        "InvalidResourceReference",
        `Resource ${named} referenced by resource ${id} was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.`,
      );
  }
}

/** Machines that nobody makes. */
export function onlyRemembered(): ArmMachines {
  let made = 0;
  const nothing = async () => undefined;
  return {
    publicAddress: () => `203.0.113.${++made}`,
    privateAddress: () => `192.0.2.${++made}`,
    boot: nothing,
    start: nothing,
    stop: nothing,
    restart: nothing,
    end: nothing,
  };
}
