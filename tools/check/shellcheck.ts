/** The shell scripts' own lint. shellcheck is a system package: it is installed only when that was asked for. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { root, type Step } from "./steps.ts";

/** The launcher reads tools/launcher/*.sh into its own shell, so those are checked with it (`-a`). */
const scripts = ["spillway", ".ci/run", "stacks/plugin/pulumi-resource-spillway", ...globSync("agent/**/*.sh", { cwd: root })];

export const shellcheckStep: Step = { name: "shell scripts", command: ["shellcheck", "-x", "-a", ...scripts] };

/** Undefined when shellcheck can be run, else the sentence why not. */
export function shellcheckMissing({ install }: { install: boolean }): string | undefined {
  if (runs("shellcheck", "--version")) return undefined;
  if (!install) return "shellcheck is not installed (--install installs it)";
  const sudo = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  const apt = (...words: string[]) => runs(...([...sudo, "apt-get", "-qq", ...words] as [string, ...string[]]));
  console.log("  … installing the system package shellcheck");
  if (apt("install", "-y", "--no-install-recommends", "shellcheck")) return undefined;
  // A fresh image has no package lists yet.
  if (apt("update") && apt("install", "-y", "--no-install-recommends", "shellcheck")) return undefined;
  return "shellcheck could not be installed with apt-get (it needs Debian or Ubuntu, and root or sudo)";
}

function runs(program: string, ...words: string[]): boolean {
  return spawnSync(program, words, { stdio: "ignore", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } }).status === 0;
}
