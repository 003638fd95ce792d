/** An environment's Pulumi stack by the Automation API: backend, passphrase, and a lock that a dead process left. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { LocalWorkspace, type Stack } from "@pulumi/pulumi/automation/index.js";
import { parseDocument } from "yaml";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { fileBackendUrl } from "../file-backend.ts";
import { programDirectory, settingsFile, stateLayout } from "../state-layout.ts";
import { lockHolder } from "./dead-locks.ts";

const projectName = "spillway";

/** Whether the environment keeps its state in this clone: `local` always does, others when the user names no backend. */
export function ownsBackend(environment: string): boolean {
  return environment === "local" || process.env.PULUMI_BACKEND_URL === undefined;
}

/**
 * The environment variables under which Pulumi finds this environment's state; for an own backend its directory and
 * passphrase are made when they are not there.
 */
export function pulumiVariables(environment: string): Record<string, string> {
  const layout = stateLayout(environment);
  const common = { PULUMI_SKIP_UPDATE_CHECK: "1", SPILLWAY_LOGS: layout.logs };
  if (!ownsBackend(environment)) return common;
  mkdirSync(layout.backend, { recursive: true, mode: 0o700 });
  if (!existsSync(layout.passphrase)) {
    // A salt of a former passphrase would make Pulumi refuse the new one.
    forgetSalt(environment);
    writeFileSync(layout.passphrase, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600 });
  }
  return {
    ...common,
    PULUMI_BACKEND_URL: fileBackendUrl(layout.backend),
    PULUMI_CONFIG_PASSPHRASE_FILE: layout.passphrase,
  };
}

/** Opens the stack, making it when it is not there. Throws `up-in-progress` when another process holds its lock. */
export async function openStack(environment: string): Promise<Stack> {
  const envVars = pulumiVariables(environment);
  releaseDeadLocks(environment);
  const stack = await explained(environment, () =>
    LocalWorkspace.createOrSelectStack({ stackName: environment, workDir: programDirectory }, { envVars }),
  );
  // Asked for after every update, by half a second's work of another process; nobody here reads the summary.
  stack.info = async () => undefined;
  return stack;
}

/** Whether the stack exists in an own backend; asked without starting Pulumi. */
export function stackExists(environment: string): boolean {
  return existsSync(join(stateLayout(environment).backend, ".pulumi", "stacks", projectName, `${environment}.json`));
}

/** Takes off everything that `up` made for itself; the logs stay. */
export function deleteOwnState(environment: string): void {
  const layout = stateLayout(environment);
  if (ownsBackend(environment)) {
    rmSync(layout.backend, { recursive: true, force: true });
    for (const file of [layout.passphrase, layout.context, `${layout.context}.new`]) rmSync(file, { force: true });
    forgetSalt(environment);
  }
  if (existsSync(layout.root) && readdirSync(layout.root).length === 0) rmSync(layout.root, { recursive: true });
}

/** Runs a Pulumi call; when another process holds the stack's lock, says which. */
export async function explained<T>(environment: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (/currently locked by/.test(text)) {
      const pid = /\(pid (\d+)\)/.exec(text)?.[1];
      throw inProgress(environment, pid === undefined ? "another process" : `process ${pid}`);
    }
    throw error;
  }
}

/** Removes locks whose holder is dead, those alone. Throws `up-in-progress` when one lives or is on another host. */
export function releaseDeadLocks(environment: string): void {
  if (!ownsBackend(environment)) return;
  const holder = lockHolder(join(stateLayout(environment).backend, ".pulumi", "locks", "organization", projectName, environment));
  if (holder === undefined) return;
  const elsewhere = holder.hostname === hostname() ? "" : ` on ${holder.hostname}`;
  throw inProgress(environment, `process ${holder.pid}${elsewhere}`);
}

function inProgress(environment: string, who: string): SpillwayError {
  return new SpillwayError(`${who} is changing this environment right now`, {
    code: "up-in-progress",
    where: `environment ${environment}`,
    hint: `Nothing was changed. Wait until it has ended, then run it again. If it is gone for good: eval "$(./spillway env ${environment})"; pulumi cancel -s ${environment}`,
  });
}

/** Removes the salt that Pulumi wrote into the settings file, keeping everything that a person wrote. */
function forgetSalt(environment: string): void {
  const file = settingsFile(environment);
  if (!existsSync(file)) return;
  const document = parseDocument(readFileSync(file, "utf8"));
  if (!document.has("encryptionsalt")) return;
  document.delete("encryptionsalt");
  writeFileSync(file, document.toString());
}
