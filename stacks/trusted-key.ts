/** A host key that the operator has just confirmed by name: `SPILLWAY_TRUST=<machine>=<fingerprint>` in the plugin's environment. */
const variable = "SPILLWAY_TRUST";

/** The fingerprint that was confirmed for this machine in this run. */
export function trustedKey(machine: string): string | undefined {
  const text = process.env[variable] ?? "";
  return text.startsWith(`${machine}=`) ? text.slice(machine.length + 1) : undefined;
}

/** What makes the plugin trust that key. */
export function trustVariable(machine: string, fingerprint: string): Record<string, string> {
  return { [variable]: `${machine}=${fingerprint}` };
}
