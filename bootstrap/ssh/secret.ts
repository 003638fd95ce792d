/** Reads the secret that a reference names, when it is needed: a variable, a private file, or what the person at the terminal has answered. */
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { SecretReference } from "../../agent/contract/machine.ts";

/** Hands answers to the processes that this one starts (the engine, its plugins); as JSON, and never logged. */
const answersVariable = "SPILLWAY_ANSWERS";

export interface SecretUse {
  /** What it is, in words: the sudo password. */
  readonly what: string;
  /** The machine it is needed for. */
  readonly where: string;
  /** The key in the settings that holds the reference. */
  readonly setting: "keyPassphrase" | "sudoPassword";
}

/** Throws `secret-missing`, which names the reference and never holds the secret. */
export function readSecret(reference: SecretReference, use: SecretUse): string {
  const { problem, hint, secret = "" } = look(reference, use);
  if (problem === undefined && /[\0\r\n]/.test(secret)) {
    throw missing("can't be used: it holds a line end or a NUL character", "Write another, of one line.", use);
  }
  if (problem === undefined) return secret;
  throw missing(problem, hint ?? "", use);
}

/** Whether the reference can be read here and now: undefined, or why not. A question that was not asked yet is no problem. */
export function secretProblem(reference: SecretReference, use: SecretUse): { readonly problem: string; readonly hint: string } | undefined {
  if (reference.kind === "ask") return undefined;
  const { problem, hint = "" } = look(reference, use);
  return problem === undefined ? undefined : { problem, hint };
}

/** What was answered so far, by what was asked for. */
export function answersGiven(): Readonly<Record<string, string>> {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(process.env[answersVariable] ?? "{}"));
  } catch {
    return {};
  }
}

/** Keeps an answer for this process and those that it starts. */
export function giveAnswer(what: string, secret: string): void {
  process.env[answersVariable] = JSON.stringify({ ...answersGiven(), [what]: secret });
}

/** `~/` is whoever runs it. */
export function ownPath(path: string): string {
  return path.startsWith("~/") ? join(homedir(), path.slice(2)) : path;
}

interface Looked {
  readonly secret?: string;
  readonly problem?: string;
  readonly hint?: string;
}

function look(reference: SecretReference, { setting }: SecretUse): Looked {
  if (reference.kind === "file") return fromFile(ownPath(reference.path));
  if (reference.kind === "env") {
    const { name } = reference;
    const secret = process.env[name] ?? "";
    if (secret !== "") return { secret };
    return { problem: `is to be in the environment variable ${name}, which is not set`, hint: `Set ${name} and run it again.` };
  }
  const secret = answersGiven()[reference.what];
  if (secret !== undefined) return { secret };
  return {
    problem: "is to be asked for, and nobody could be asked",
    hint: `Run it by ./spillway on a terminal, which asks once. Without a terminal write ${setting}: env:NAME or ${setting}: file:~/PATH`,
  };
}

function fromFile(path: string): Looked {
  let text: string;
  try {
    if ((statSync(path).mode & 0o077) !== 0) return { problem: `is in ${path}, which others may read`, hint: `chmod 600 ${path}` };
    text = readFileSync(path, "utf8");
  } catch (error) {
    return {
      problem: `is to be in ${path}, which can't be read: ${(error as Error).message}`,
      hint: "Put it there, or name another file.",
    };
  }
  const secret = text.split(/\r?\n/, 1)[0] ?? "";
  return secret === "" ? { problem: `is to be in ${path}, whose first line is empty`, hint: "Write it there, on one line." } : { secret };
}

function missing(problem: string, hint: string, { what, where }: SecretUse): SpillwayError {
  return new SpillwayError(`${what} ${problem}`, { code: "secret-missing", where, hint });
}
