/** What `spillway upgrade` tells the plugin beside the settings: variables in its environment for one run, since a wish is no setting. */
const variables = {
  /** Goes to the bundle at hand also where a revert has left it. */
  upgrade: "SPILLWAY_UPGRADE",
  /** Takes every role back to the bundle that it ran before. */
  revert: "SPILLWAY_REVERT",
} as const;

export type UpgradeWish = keyof typeof variables;

/** The variables of a run with this wish; their value is the environment that it is about. */
export function wishVariables(wish: UpgradeWish, environment: string): Record<string, string> {
  return { [variables[wish]]: environment };
}

/** Undefined for a plain `up`. */
export function upgradeWish(environment: string): UpgradeWish | undefined {
  if (process.env[variables.revert] === environment) return "revert";
  return process.env[variables.upgrade] === environment ? "upgrade" : undefined;
}
