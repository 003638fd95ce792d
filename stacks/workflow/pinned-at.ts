/** Who pins a host's key, if not the state, and what a person does to pin another. */
import { expandHostRange } from "../../providers/ssh/host-range.ts";
import { hostName } from "../../providers/ssh/inventory.ts";
import type { EnvironmentSettings } from "../settings.ts";
import { settingsPlace } from "../state-layout.ts";
import { spareHosts, wantedMachines } from "../wanted-machines.ts";
import { settingsLine, settingsValue } from "./settings-line.ts";

export interface Pinning {
  /** By the settings file itself, or by a known_hosts file that it names. */
  readonly by: "settings" | "known-hosts";
  /** The next step that pins this key instead, without its last words. */
  readonly change: (hostKey: string) => string;
}

/** Undefined for a host whose key is pinned by the state, or not at all. */
export function pinnedAt(environment: string, settings: EnvironmentSettings, pool: string, name: string): Pinning | undefined {
  const all = [...wantedMachines(settings), ...spareHosts(settings)];
  const one = all.find((each) => each.pool === pool && each.name === name);
  if (one?.provider !== "ssh" || one.host.hostKey === undefined) return undefined;
  const { file, at, entry } = entryOf(environment, pool, name);
  if (entry?.hostKey !== undefined) {
    const line = settingsLine(environment, [...at, "hostKey"]);
    return {
      by: "settings",
      change: (hostKey) => `In ${line === undefined ? file : `${file}, line ${line}`}, write hostKey: "${hostKey}"`,
    };
  }
  const { host, port } = one.host;
  const known = port === 22 ? host : `[${host}]:${port}`;
  return {
    by: "known-hosts",
    change: (hostKey) => `Take its old line out of known_hosts (ssh-keygen -R '${known}') and connect once by ssh, comparing ${hostKey}`,
  };
}

/** Where a host's `hostKey` may be written: `Pulumi.prod.yaml, line 12`. */
export function hostPlace(environment: string, pool: string, name: string): string {
  const { file, at } = entryOf(environment, pool, name);
  const line = settingsLine(environment, at);
  return line === undefined ? file : `${file}, line ${line}`;
}

interface WrittenEntry {
  readonly host?: unknown;
  readonly name?: unknown;
  readonly hostKey?: unknown;
}

/** The entry that a host is from, in a node pool or in a burst pool; as it is written, since what was read holds for many. */
function entryOf(environment: string, pool: string, name: string) {
  const file = settingsPlace(environment);
  for (const pools of [
    ["pools", pool],
    ["burst", "pools", pool],
  ]) {
    const hosts = settingsValue(environment, [...pools, "hosts"]);
    if (!Array.isArray(hosts)) continue;
    const index = (hosts as WrittenEntry[]).findIndex((entry) => namesOf(pool, entry).includes(name));
    if (index >= 0) return { file, at: [...pools, "hosts", index], entry: hosts[index] as WrittenEntry };
  }
  return { file, at: ["pools", pool], entry: undefined };
}

function namesOf(pool: string, { host, name }: WrittenEntry): string[] {
  if (typeof name === "string") return [name];
  return typeof host === "string" ? expandHostRange(host).map((one) => hostName(pool, { host: one })) : [];
}
