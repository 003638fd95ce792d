/**
 * What the removal of one node hands to the program and to the plugin: variables in their environment, for one run. Not
 * inputs of the node: what is deleted is deleted by its old inputs, so a new value would not count.
 */
import { drainRequest } from "../agent/contract/burst-api.ts";
import { describeError, SpillwayError } from "../agent/contract/errors.ts";
import { parseDuration } from "../agent/contract/quantities.ts";

const variables = {
  /** The machines that the program leaves out although the settings name them; names hold no comma. */
  without: "SPILLWAY_WITHOUT",
  /** How long tasks have to end: a duration (30m) or `force`. Also for whoever takes a host out of the settings. */
  drain: "SPILLWAY_DRAIN",
  /** The machine whose node goes although it can't be reached. */
  forget: "SPILLWAY_FORGET_NODE",
} as const;

/** As long as `spillway nodes drain` gives them. */
export const usualDrainMs = drainRequest.parse({}).deadlineMs;

export interface NodeRemoval {
  readonly machine: string;
  /** Others that the settings name and that are not there: a removal adds nothing. */
  readonly absent: readonly string[];
  /** 0: what runs is stopped and tried again elsewhere. */
  readonly drainMs: number;
  /** What is installed on it may stay, since it can't be reached. */
  readonly forget: boolean;
}

/** The environment variables of a run that removes this node. */
export function removalVariables({ machine, absent, drainMs, forget }: NodeRemoval): Record<string, string> {
  return {
    [variables.without]: [machine, ...absent].join(","),
    [variables.drain]: drainMs === 0 ? "force" : `${Math.ceil(drainMs / 1000)}s`,
    ...(forget ? { [variables.forget]: machine } : {}),
  };
}

/** Where everything goes no task has anywhere to go on; in an environment without a guard yet nobody has stopped them before. */
export const teardownVariables: Readonly<Record<string, string>> = { [variables.drain]: "force" };

/** The machines that this run leaves out. */
export function machinesLeftOut(): readonly string[] {
  return (process.env[variables.without] ?? "").split(",").filter((name) => name !== "");
}

/** How long the tasks of a node that goes have to end, in ms; 0: they have not. Throws `usage` for a text that is no duration. */
export function drainPatience(): number {
  const text = process.env[variables.drain] ?? "";
  if (text === "") return usualDrainMs;
  if (text === "force") return 0;
  try {
    return parseDuration(text);
  } catch (cause) {
    throw new SpillwayError(`${variables.drain}: ${describeError(cause)}`, {
      code: "usage",
      hint: "Write a duration, such as 30m, or force.",
      cause,
    });
  }
}

/** Whether the operator gives up what is installed on this machine. */
export function isForgottenMachine(machine: string): boolean {
  return process.env[variables.forget] === machine;
}
