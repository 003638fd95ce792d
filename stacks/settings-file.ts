/** Reading an environment's settings file; for `local` it is made from the template when it is not there. */
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseDocument } from "yaml";
import { SpillwayError } from "../agent/contract/errors.ts";
import { type EnvironmentSettings, parseSettings } from "./settings.ts";
import { environmentsDescribed, programDirectory, settingsFile } from "./state-layout.ts";

const settingsPath = ["config", "spillway:environment"];
const localTemplate = join(programDirectory, "local.template.yaml");

/**
 * The settings as Pulumi's configuration gave them, with the file's lines in errors.
 * Throws a SpillwayError `settings`.
 */
export function settingsOf(environment: string, value: unknown): EnvironmentSettings {
  const file = settingsFile(environment);
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (value === undefined) {
    throw new SpillwayError(`there is nothing under config: spillway:environment:`, {
      code: "settings",
      where: basename(file),
      hint: `To have it written: spillway init ${environment} --force`,
    });
  }
  return parseSettings(value, { file: basename(file), text, at: settingsPath });
}

/** Reads and checks the settings without Pulumi. Throws `no-such-environment` or `settings`. */
export function readSettings(environment: string): EnvironmentSettings {
  if (!/^[A-Za-z0-9_-]{1,40}$/.test(environment)) {
    throw new SpillwayError(`"${environment}" can't be an environment's name: use letters, digits, - and _`, {
      code: "no-such-environment",
    });
  }
  const file = settingsFile(environment);
  if (environment === "local" && !existsSync(file)) copyFileSync(localTemplate, file);
  if (!existsSync(file)) {
    throw new SpillwayError(`there is no environment "${environment}": stacks/environment/${basename(file)} does not exist`, {
      code: "no-such-environment",
      hint: `Environments here: ${environments().join(", ")}. To make one: spillway init ${environment}`,
    });
  }
  const document = parseDocument(readFileSync(file, "utf8"));
  const [broken] = document.errors;
  if (broken !== undefined) {
    throw new SpillwayError(`${broken.message.split("\n")[0]}`, { code: "settings", where: basename(file), hint: "Nothing was changed." });
  }
  const value = document.getIn(settingsPath);
  return settingsOf(environment, value === undefined || value === null ? undefined : document.toJS().config[settingsPath[1] as string]);
}

/** The names of the environments that have a settings file, and `local`, which always can. */
function environments(): string[] {
  return [...new Set(["local", ...environmentsDescribed()])];
}
