/** Where an environment keeps what belongs to this clone alone: `<clone>/.spillway/<environment>/`, git-ignored. */
import { readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";

export interface StateLayout {
  readonly root: string;
  /** Pulumi's file backend, for an environment that names no other. */
  readonly backend: string;
  /** The random passphrase that encrypts its secrets, 0600. */
  readonly passphrase: string;
  /** The CLI's way in, 0600. */
  readonly context: string;
  /** One directory per local machine. */
  readonly machines: string;
  /** The burster's own: its configuration, and the stacks of bursts with their backend and passphrase. */
  readonly bursts: string;
  /** Kept after a teardown. */
  readonly logs: string;
}

export const cloneDirectory = join(import.meta.dirname, "..");
export const programDirectory = join(import.meta.dirname, "environment");

/** Where all environments of this clone keep their own: SPILLWAY_STATE_DIR, else `.spillway` in the clone. */
export function stateRoot(): string {
  return resolve(process.env.SPILLWAY_STATE_DIR || join(cloneDirectory, ".spillway"));
}

export function stateLayout(environment: string): StateLayout {
  const root = join(stateRoot(), environment);
  return {
    root,
    backend: join(root, "backend"),
    passphrase: join(root, "passphrase"),
    context: join(root, "context.json"),
    machines: join(root, "machines"),
    bursts: join(root, "bursts"),
    logs: join(root, "logs"),
  };
}

/** Environments that have a settings file, by name. */
export function environmentsDescribed(): string[] {
  return readdirSync(programDirectory)
    .flatMap((file) => /^Pulumi\.([^.]+)\.yaml$/.exec(file)?.[1] ?? [])
    .toSorted();
}

/** The settings file of an environment as people see it, from the clone's directory. */
export function settingsPlace(environment: string): string {
  return join("stacks", "environment", basename(settingsFile(environment)));
}

/** The settings file of an environment. */
export function settingsFile(environment: string): string {
  return join(programDirectory, `Pulumi.${environment}.yaml`);
}
