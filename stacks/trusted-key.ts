/** Host keys that the operator has just confirmed, or that the master's pins confirm: `SPILLWAY_TRUST=<machine>=<fingerprint>,…` in the plugin's environment. */
const variable = "SPILLWAY_TRUST";

/** The fingerprint that was confirmed for this machine in this run. */
export function trustedKey(machine: string): string | undefined {
  const one = (process.env[variable] ?? "").split(",").find((entry) => entry.startsWith(`${machine}=`));
  return one?.slice(machine.length + 1);
}

/** What makes the plugin trust that key. */
export function trustVariable(machine: string, fingerprint: string): Record<string, string> {
  return trustVariables(new Map([[machine, fingerprint]]));
}

/** What makes the plugin trust the key of each of these machines. Neither names nor fingerprints hold a comma. */
export function trustVariables(keys: ReadonlyMap<string, string>): Record<string, string> {
  return keys.size === 0 ? {} : { [variable]: [...keys].map(([machine, fingerprint]) => `${machine}=${fingerprint}`).join(",") };
}
