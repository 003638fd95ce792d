/** Finds the environment a command is about: its context file, and a client of its master. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { type Client, createClient } from "../agent/contract/client.ts";
import { type Context, context as contextSchema } from "../agent/contract/context.ts";
import { SpillwayError } from "../agent/contract/errors.ts";
import { stateRoot } from "../stacks/state-layout.ts";
import { say } from "./output.ts";

export interface OpenEnvironment {
  readonly context: Context;
  /** The context file's path. */
  readonly file: string;
  readonly client: Client;
}

/** The environment given as an operand, named by `--env`, by SPILLWAY_ENV, or the only one there is. */
export function openEnvironment(command: Command, given?: string): OpenEnvironment {
  const { context, file } = findContext({ name: given ?? environmentNameOf(command) });
  return { context, file, client: createClient(context) };
}

/** What `--env` says, before or after the verb. */
export function environmentNameOf(command: Command): string | undefined {
  const { env } = command.optsWithGlobals<{ env?: string }>();
  return env;
}

export interface ContextQuery {
  readonly name?: string | undefined;
}

/**
 * Reads the context file. Throws a SpillwayError: `which-environment` (several, none chosen), `no-environment`,
 * `broken-context`. Warns on stderr when others may read the file: it holds the admin token.
 */
export function findContext({ name }: ContextQuery): { context: Context; file: string } {
  const root = stateRoot();
  const known = environmentsIn(root);
  const wanted = name ?? (process.env.SPILLWAY_ENV || undefined);
  if (wanted === undefined && known.length > 1) {
    throw new SpillwayError(`there are ${known.length} environments here (${known.join(", ")}), and none was chosen`, {
      code: "which-environment",
      hint: `Add --env ${known[0]}, or set SPILLWAY_ENV.`,
    });
  }
  const chosen = wanted ?? known[0];
  if (chosen === undefined) {
    throw new SpillwayError(`there is no environment here yet (no context in ${root})`, {
      code: "no-environment",
      hint: "`./spillway up local` makes one on this computer.",
    });
  }
  if (!known.includes(chosen)) {
    const there = known.length === 0 ? "there is none yet" : `there is ${known.join(", ")}`;
    throw new SpillwayError(`there is no environment "${chosen}" here (${there})`, {
      code: "no-environment",
      hint: `\`./spillway up ${/^[a-z0-9-]+$/.test(chosen) ? chosen : "local"}\` makes it.`,
    });
  }
  const file = join(root, chosen, "context.json");
  return { context: readContext(file, chosen), file };
}

function environmentsIn(root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((name) => existsSync(join(root, name, "context.json")))
    .toSorted();
}

function readContext(file: string, name: string): Context {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw broken(file, name, "it can't be read as JSON", cause);
  }
  const parsed = contextSchema.safeParse(value);
  if (!parsed.success) throw broken(file, name, `${parsed.error.issues[0]?.path.join(".")}: ${parsed.error.issues[0]?.message}`);
  if (!URL.canParse(parsed.data.url) || !parsed.data.url.startsWith("https://")) throw broken(file, name, "its url is not an https URL");
  if ((statSync(file).mode & 0o077) !== 0) say(`warning: others may read ${file}, and it holds the admin token: chmod 600 it`);
  return parsed.data;
}

function broken(file: string, name: string, why: string, cause?: unknown): SpillwayError {
  return new SpillwayError(`the context is broken: ${why}`, {
    code: "broken-context",
    where: file,
    hint: `\`./spillway up ${name}\` writes it again.`,
    cause,
  });
}
