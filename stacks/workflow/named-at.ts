/** Where the settings name a machine, for a person who is to take it out of them. */
import { listedHosts } from "../../providers/ssh/inventory.ts";
import type { EnvironmentSettings } from "../settings.ts";
import { settingsPlace } from "../state-layout.ts";
import type { WantedMachine } from "../wanted-machines.ts";
import { settingsLine } from "./settings-line.ts";

/** `stacks/environment/Pulumi.prod.yaml line 14`; without a line where it stands in none of its own. */
export function namedAt(environment: string, settings: EnvironmentSettings, { pool, name }: Pick<WantedMachine, "pool" | "name">): string {
  const file = settingsPlace(environment);
  const line = settingsLine(environment, placeOf(settings, pool, name)) ?? settingsLine(environment, ["pools", pool]);
  return line === undefined ? file : `${file} line ${line}`;
}

function placeOf(settings: EnvironmentSettings, pool: string, name: string): (string | number)[] {
  const one = settings.pools[pool];
  if (one !== undefined && one.provider !== "ssh") return ["pools", pool, "count"];
  const listed = one === undefined ? [] : listedHosts(pool, one, settings.jumps);
  const entry = listed.find(({ host }) => host.name === name)?.entry;
  return entry === undefined ? ["pools", pool, "hosts"] : ["pools", pool, "hosts", entry];
}

/** What the settings' owner has to do so that a machine that was removed stays away. */
export function howToLeaveOut(environment: string, settings: EnvironmentSettings, wanted: WantedMachine): string {
  const at = namedAt(environment, settings, wanted);
  if (wanted.provider === "ssh") return `take it out of ${at}, or the next up adds it again`;
  const last = `${wanted.pool}-${wanted.settings.count}`;
  const which =
    wanted.name === last
      ? ""
      : ` (machines here are numbered: a lower count takes ${last} away, and the next up makes ${wanted.name} anew)`;
  return `lower count in ${at} to ${wanted.settings.count - 1}, or the next up makes it again${which}`;
}
