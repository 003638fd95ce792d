/** What is looked at for one environment: its settings, the keys they name, who may read its secrets, and its master. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createClient } from "../../agent/contract/client.ts";
import { type Context, context as contextSchema } from "../../agent/contract/context.ts";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { CredentialReference } from "../../agent/contract/machine.ts";
import { productVersion } from "../../agent/contract/version.ts";
import type { Finding } from "../../bootstrap/findings.ts";
import type { EnvironmentSettings } from "../../stacks/settings.ts";
import { readSettings } from "../../stacks/settings-file.ts";
import { settingsFile, stateLayout } from "../../stacks/state-layout.ts";
import { wantedMachines } from "../../stacks/wanted-machines.ts";
import { countOf } from "../output.ts";
import { keysInAgent } from "./ssh-agent.ts";

export async function environmentFindings(environment: string): Promise<Finding[]> {
  const { finding, settings } = settingsFinding(environment);
  const keys = settings === undefined ? [] : await Promise.all(credentialsIn(settings).map(credentialFinding));
  return [finding, ...keys, ...modes(environment), ...(await access(environment))];
}

function settingsFinding(environment: string): { finding: Finding; settings?: EnvironmentSettings } {
  const name = "settings";
  // Reading those of `local` would make the file.
  if (environment === "local" && !existsSync(settingsFile(environment)))
    return { finding: { name, ok: true, found: "none yet; the first up makes them from the template" } };
  try {
    const settings = readSettings(environment);
    return { finding: { name, ok: true, found: `${countOf(wantedMachines(settings).length, "machine")} wanted` }, settings };
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    const hint = error.code === "settings" ? "Mend the file; all settings: docs/settings.md" : error.hint;
    return { finding: { name, ok: false, found: error.message, ...(hint === undefined ? {} : { hint }) } };
  }
}

/** Each credential that machines and jump hosts need, once. */
function credentialsIn(settings: EnvironmentSettings): CredentialReference[] {
  const all = [
    ...wantedMachines(settings).flatMap((machine) => (machine.provider === "ssh" ? [machine.host.credential] : [])),
    ...Object.values(settings.jumps).map(({ credential }) => credential),
  ];
  return [...new Map(all.map((credential) => [JSON.stringify(credential), credential])).values()];
}

async function credentialFinding(credential: CredentialReference): Promise<Finding> {
  return credential.kind === "agent" ? await agentFinding(process.env.SSH_AUTH_SOCK ?? "") : keyFinding(credential.path);
}

export async function agentFinding(socket: string): Promise<Finding> {
  const name = "ssh-agent";
  const hint = "Start one and add the key: eval $(ssh-agent); ssh-add";
  if (socket === "") return { name, ok: false, found: "hosts want it, and SSH_AUTH_SOCK is not set", hint };
  const keys = await keysInAgent(socket);
  if (keys === undefined) return { name, ok: false, found: `nothing answers at ${socket}`, hint };
  if (keys === 0) return { name, ok: false, found: "it holds no key", hint: "ssh-add PATH-OF-KEY" };
  return { name, ok: true, found: `it holds ${countOf(keys, "key")}` };
}

export function keyFinding(reference: string): Finding {
  const name = "SSH key";
  const path = reference.startsWith("~/") ? join(homedir(), reference.slice(2)) : reference;
  try {
    readFileSync(path);
  } catch (error) {
    return { name, ok: false, found: describeError(error), hint: "Put it there, or name another in the settings (key)." };
  }
  return isPrivate(path)
    ? { name, ok: true, found: path }
    : { name, ok: false, found: `others may read ${path}`, hint: `chmod 600 ${path}` };
}

/** Files that hold secrets, as far as they are there. */
function modes(environment: string): Finding[] {
  const { backend, passphrase, context } = stateLayout(environment);
  const there = [backend, passphrase, context].filter((path) => existsSync(path));
  if (there.length === 0) return [];
  const open = there.filter((path) => !isPrivate(path));
  if (open.length === 0) return [{ name: "secrets", ok: true, found: "readable by their owner only" }];
  return [{ name: "secrets", ok: false, found: `others may read ${open.join(", ")}`, hint: `chmod go= ${open.join(" ")}` }];
}

function isPrivate(path: string): boolean {
  return (statSync(path).mode & 0o077) === 0;
}

/** The way in, the master behind it, and its nodes. */
async function access(environment: string): Promise<Finding[]> {
  const { context: file, backend } = stateLayout(environment);
  const hint = `./spillway up ${environment}`;
  if (!existsSync(file)) {
    if (!existsSync(backend)) return [{ name: "master", ok: true, found: "none: it has not been brought up" }];
    return [{ name: "master", ok: false, found: "there is state, but no context: it has not come up to its end", hint }];
  }
  const context = readContext(file);
  if (context === undefined) return [{ name: "context", ok: false, found: `${file} is broken`, hint: `${hint} writes it again.` }];
  return await masterFindings(context, hint);
}

function readContext(file: string): Context | undefined {
  try {
    return contextSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

async function masterFindings(context: Context, hint: string): Promise<Finding[]> {
  const client = createClient({ ...context, connectTimeoutMs: 3000, answerTimeoutMs: 5000 });
  try {
    const { environmentId, version } = await client.health();
    if (environmentId !== context.environmentId)
      return [{ name: "master", ok: false, found: `${context.url} is the master of another environment (${environmentId})`, hint }];
    const found = version === productVersion ? version : `${version}; this is ${productVersion}`;
    const nodes = await client.nodes();
    const away = nodes.filter(({ state }) => state !== "ready").map(({ name, state }) => `${name} is ${state}`);
    const master = { name: "master", ok: true, found: `answers at ${context.url} (${found})` };
    if (away.length === 0) return [master, { name: "nodes", ok: true, found: `${nodes.length} ready` }];
    return [master, { name: "nodes", ok: false, found: away.join(", "), hint: `spillway explain node/NAME tells why; ${hint} mends it.` }];
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    return [{ name: "master", ok: false, found: error.message, hint: error.hint ?? hint }];
  } finally {
    client.dispose();
  }
}
