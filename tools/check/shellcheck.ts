/** The shell scripts' own lint. shellcheck is a system package: it is installed only when that was asked for. */
import { globSync } from "node:fs";
import { root, type Step } from "./steps.ts";
import { installSystemPackages, runs } from "./system-packages.ts";

/** The launcher reads tools/launcher/*.sh into its own shell, so those are checked with it (`-a`). */
const scripts = ["spillway", ".ci/run", "stacks/plugin/pulumi-resource-spillway", ...globSync("agent/**/*.sh", { cwd: root })];

export const shellcheckStep: Step = { name: "shell scripts", command: ["shellcheck", "-x", "-a", ...scripts] };

/** Undefined when shellcheck can be run, else the sentence why not. */
export function shellcheckMissing({ install }: { install: boolean }): string | undefined {
  if (runs("shellcheck", "--version")) return undefined;
  return install ? installSystemPackages(["shellcheck"]) : "shellcheck is not installed (--install installs it)";
}
