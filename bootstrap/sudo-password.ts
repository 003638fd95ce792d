/** Root by sudo with a password: tried once with the first command, so that a wrong one locks nobody out. */
import { createHash, randomUUID } from "node:crypto";
import { SpillwayError } from "../agent/contract/errors.ts";
import { type Machine, whereOf } from "../agent/contract/machine.ts";
import { readable } from "./commands/shell.ts";
import { sudoWithPassword } from "./commands/sudo.ts";
import type { Remote } from "./remote.ts";
import { readSecret } from "./ssh/secret.ts";
import type { CommandResult } from "./ssh/session.ts";

/** What was refused in this process, by machine, user and the password's hash: a second try would count against the user. */
const refused = new Map<string, string>();

/**
 * Runs a command that reads no input as root, and returns the way to run all others; undefined where no password is needed
 * (its user is root) or none helps (there is no sudo).
 * @throws SpillwayError `secret-missing`, and `sudo-refused` with sudo's own words.
 */
export async function becomeRoot(
  remote: Remote,
  machine: Machine,
  argv: readonly string[],
): Promise<{ readonly remote: Remote; readonly result: CommandResult } | undefined> {
  const { user, sudoPassword } = machine;
  if (user === "root" || sudoPassword === undefined) return undefined;
  const where = whereOf(machine);
  const password = readSecret(sudoPassword, { what: `the sudo password of its user ${user}`, where, setting: "sudoPassword" });
  const tried = createHash("sha256")
    .update(JSON.stringify([machine.providerId, user, password]))
    .digest("hex");
  const before = refused.get(tried);
  if (before !== undefined) throw refusal(user, before, where);
  const marker = randomUUID();
  const command = sudoWithPassword(marker);
  // No marker, and the end of the input after the password: sudo would take whatever comes next for further tries.
  const result = await remote.as(command, `${password}\n`).read(argv);
  if (result.code === 0) return { remote: remote.as(command, `${password}\n${marker}\n`), result };
  // 127: env found no sudo. What that means is told with the machine's other facts.
  if (result.code === 127) return undefined;
  const words = readable(result.stderr.replaceAll(password, "…"), 300)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join(" · ");
  refused.set(tried, words);
  throw refusal(user, words, where);
}

function refusal(user: string, words: string, where: string): SpillwayError {
  return new SpillwayError(`sudo refuses its user ${user} with the password that sudoPassword names: ${words}`, {
    code: "sudo-refused",
    where,
    hint: "It was tried once and is not tried again. Correct the password, or the user's rights there (sudo -l).",
  });
}
