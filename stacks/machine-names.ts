/** Which machines the settings ask for, by name. A machine's name is its identity: another name is another machine. */
import type { EnvironmentSettings } from "./settings.ts";

export interface MachineName {
  readonly name: string;
  readonly pool: string;
}

/** `<pool>-1` … `<pool>-<count>`, pools in the order of the settings. */
export function machineNames(settings: Pick<EnvironmentSettings, "pools">): MachineName[] {
  return Object.entries(settings.pools).flatMap(([pool, { count }]) =>
    Array.from({ length: count }, (_unused, index) => ({ name: `${pool}-${index + 1}`, pool })),
  );
}
