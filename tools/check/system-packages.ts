/** System packages that a suite needs: installed with apt-get, and only when that was asked for. */
import { spawnSync } from "node:child_process";

/** Undefined when they are there now, else the sentence why not. Needs Debian or Ubuntu, and root or sudo. */
export function installSystemPackages(names: readonly string[]): string | undefined {
  const sudo = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  const apt = (...words: string[]) => runs(...([...sudo, "apt-get", "-qq", ...words] as [string, ...string[]]));
  console.log(`  … installing ${names.length === 1 ? "the system package" : "system packages"} ${names.join(", ")}`);
  if (apt("install", "-y", "--no-install-recommends", ...names)) return undefined;
  // A fresh image has no package lists yet.
  if (apt("update") && apt("install", "-y", "--no-install-recommends", ...names)) return undefined;
  return `${names.join(", ")} could not be installed with apt-get (it needs Debian or Ubuntu, and root or sudo)`;
}

/** Whether the program is there and ends with exit code 0. */
export function runs(program: string, ...words: string[]): boolean {
  return spawnSync(program, words, { stdio: "ignore", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } }).status === 0;
}
