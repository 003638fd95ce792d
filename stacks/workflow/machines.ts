/** The machines of an environment as its stack's state knows them. Reading it takes no lock: it works while an `up` is under way. */
import { LocalWorkspace, StackNotFoundError } from "@pulumi/pulumi/automation/index.js";
import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, machine } from "../../agent/contract/machine.ts";
import { programDirectory } from "../state-layout.ts";
import { ownsBackend, pulumiVariables, stackExists } from "./workspace.ts";

export interface KnownMachine {
  readonly machine: Machine;
  readonly urn: string;
  /** Why it can't be used, as last looked at. */
  readonly problem: string | undefined;
}

export interface KnownMachines {
  /** The environment's UUID; undefined before it has one. */
  readonly environmentId: string | undefined;
  readonly machines: readonly KnownMachine[];
  /** Ids of all that the state holds, also of machines that a cloud has made and nobody has reached yet. */
  readonly ids: ReadonlySet<string>;
  /** Whether an `up` has come to its end once, and no destroy has begun since. */
  readonly isComplete: boolean;
  /** Whether a master or a node was ever made by it. */
  readonly hasRoles: boolean;
}

const machineTypes = ["spillway:index:SshMachine", "spillway:index:LocalMachine", "spillway:index:CloudHost"];
const roleTypes = ["spillway:index:Master", "spillway:index:Node"];
const deployment = z.object({
  resources: z
    .array(
      z.object({ urn: z.string(), id: z.string().optional(), type: z.string(), outputs: z.record(z.string(), z.unknown()).default({}) }),
    )
    .default([]),
});
const machineOutputs = z.object({
  machine,
  problem: z
    .string()
    .transform((text) => (text === "" ? undefined : text))
    .optional(),
});
const authorityOutputs = z.object({ environmentId: z.string() });

/** Nothing where there is no state. */
export async function knownMachines(environment: string): Promise<KnownMachines> {
  const nothing = { environmentId: undefined, machines: [], ids: new Set<string>(), isComplete: false, hasRoles: false };
  // Asked before Pulumi, which would make a backend and a passphrase for it.
  if (ownsBackend(environment) && !stackExists(environment)) return nothing;
  try {
    const options = { envVars: pulumiVariables(environment) };
    const stack = await LocalWorkspace.selectStack({ stackName: environment, workDir: programDirectory }, options);
    return machinesIn((await stack.exportStack()).deployment);
  } catch (error) {
    if (error instanceof StackNotFoundError) return nothing;
    throw error;
  }
}

/** The machines in an exported deployment; pure. */
export function machinesIn(exported: unknown): KnownMachines {
  const resources = deployment.parse(exported ?? {}).resources;
  const authority = authorityOutputs.safeParse(resources.find(({ type }) => type === "spillway:index:Authority")?.outputs);
  const machines = resources.flatMap(({ urn, type, outputs }): KnownMachine[] => {
    const read = machineTypes.includes(type) ? machineOutputs.safeParse(outputs) : undefined;
    return read?.success === true ? [{ machine: read.data.machine, urn, problem: read.data.problem }] : [];
  });
  const isComplete = resources.some(({ type }) => type === "spillway:index:PoolGuard");
  const hasRoles = resources.some(({ type }) => roleTypes.includes(type));
  return {
    environmentId: authority.data?.environmentId,
    machines,
    ids: new Set(resources.flatMap(({ id }) => id ?? [])),
    isComplete,
    hasRoles,
  };
}

/** Whether a person who typed this means that machine: by its name, or by its address where only one has it. */
export function findMachine<T>(
  all: readonly T[],
  of: (one: T) => { readonly name: string; readonly host?: string },
  typed: string,
): T | undefined {
  const byName = all.find((one) => of(one).name === typed);
  if (byName !== undefined) return byName;
  const byAddress = all.filter((one) => of(one).host === typed);
  return byAddress.length === 1 ? byAddress[0] : undefined;
}

/** The error for a name that no machine of the environment has. */
export function noSuchMachine(environment: string, typed: string, known: readonly { readonly name: string }[]): SpillwayError {
  const names = [...new Set(known.map(({ name }) => name))];
  if (names.length === 0) {
    return new SpillwayError(`the environment "${environment}" has no machines yet`, {
      code: "no-such-machine",
      hint: `\`./spillway up ${environment}\` makes them.`,
    });
  }
  const near = closest(typed, names);
  const isNear = distance(typed, near) <= Math.max(2, typed.length / 3);
  return new SpillwayError(`the environment "${environment}" has no machine "${typed}"`, {
    code: "no-such-machine",
    hint: isNear ? `Did you mean ${near}?` : `It has ${names.join(", ")}.`,
  });
}
