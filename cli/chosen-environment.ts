/** Which environment a command is about when it needs no master: also one that has not come up yet. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { SpillwayError } from "../agent/contract/errors.ts";
import { stateRoot } from "../stacks/state-layout.ts";
import { environmentNameOf } from "./environment-context.ts";

/** What `--env` or SPILLWAY_ENV say, else the only one there is. Throws `which-environment` and `no-environment`. */
export function chosenEnvironment(command: Command): string {
  const named = environmentNameOf(command) ?? (process.env.SPILLWAY_ENV || undefined);
  if (named !== undefined) return named;
  const [only, ...others] = environmentsBegun();
  if (only === undefined) {
    throw new SpillwayError("there is no environment here yet", {
      code: "no-environment",
      hint: "`./spillway up local` makes one on this computer; for another add --env NAME.",
    });
  }
  if (others.length === 0) return only;
  throw new SpillwayError(`there are ${others.length + 1} environments here (${[only, ...others].join(", ")}), and none was chosen`, {
    code: "which-environment",
    hint: `Add --env ${only}, or set SPILLWAY_ENV.`,
  });
}

/** Environments that have any state on this computer, by name. */
export function environmentsBegun(): string[] {
  const root = stateRoot();
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((name) => ["context.json", "backend"].some((part) => existsSync(join(root, name, part))))
    .toSorted();
}
