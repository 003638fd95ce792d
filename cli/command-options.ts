/** The options that many verbs share, and how their values are read. */
import { type Command, Option } from "commander";
import { SpillwayError } from "../agent/contract/errors.ts";

/** Adds `--env` and `--output` to a verb that speaks with a master. */
export function withEnvironment(command: Command): Command {
  return command.option("--env <name>", "the environment (else SPILLWAY_ENV, or the only one there is)").addOption(outputOption());
}

export function outputOption(): Option {
  return new Option("-o, --output <form>", "table for people, json for programs").choices(["table", "json"]);
}

export function wantsJson(command: Command): boolean {
  return command.optsWithGlobals().output === "json";
}

/** Adds examples to a verb's help. */
export function withExamples(command: Command, lines: readonly string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`);
}

/** Wrong use of the command line: exit code 2. */
export function usageError(message: string, hint?: string): SpillwayError {
  return new SpillwayError(message, hint === undefined ? { code: "usage" } : { code: "usage", hint });
}

/** Reads one option's value; a RangeError becomes a usage error that names the option. */
export function readOption<T>(option: string, value: string, parse: (value: string) => T): T {
  try {
    return parse(value);
  } catch (error) {
    if (error instanceof RangeError) throw usageError(`${option}: ${error.message}`);
    throw error;
  }
}

/** A parser of whole numbers within bounds, for `readOption`. */
export function wholeNumber(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max)
      throw new RangeError(`"${value}" is not a whole number from ${min} to ${max}`);
    return number;
  };
}
