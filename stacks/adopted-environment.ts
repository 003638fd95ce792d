/**
 * Which environment a new stack takes over instead of beginning one: `SPILLWAY_ADOPT=<environment>=<its UUID>` in the
 * plugin's environment, by `spillway nodes adopt`, which has asked the machines whose they are.
 */
const variable = "SPILLWAY_ADOPT";

/** The UUID of the environment of this name that is adopted in this run. */
export function adoptedEnvironmentId(environment: string): string | undefined {
  const text = process.env[variable] ?? "";
  const id = text.startsWith(`${environment}=`) ? text.slice(environment.length + 1) : "";
  return id === "" ? undefined : id;
}

/** What makes the plugin adopt it. */
export function adoptionVariable(environment: string, environmentId: string): Record<string, string> {
  return { [variable]: `${environment}=${environmentId}` };
}
