/** Where a host stands in the settings file, for sentences that tell a person what to change. */
import { basename, join } from "node:path";
import { hostName } from "../../providers/ssh/inventory.ts";
import type { EnvironmentSettings } from "../settings.ts";
import { settingsFile } from "../state-layout.ts";
import { settingsLine } from "./settings-line.ts";

/** Where the settings pin this host's key: `Pulumi.prod.yaml, line 12`; undefined when they do not. */
export function pinnedAt(environment: string, settings: EnvironmentSettings, pool: string, name: string): string | undefined {
  const one = settings.pools[pool];
  if (one?.provider !== "ssh") return undefined;
  const index = one.hosts.findIndex((entry) => hostName(pool, entry) === name);
  if (one.hosts[index]?.hostKey === undefined) return undefined;
  const line = settingsLine(environment, ["pools", pool, "hosts", index, "hostKey"]);
  const file = join("stacks", "environment", basename(settingsFile(environment)));
  return line === undefined ? file : `${file}, line ${line}`;
}
