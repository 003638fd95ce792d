/** What is looked at for one environment: its settings, the keys they name, who may read its secrets, and its master. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { createClient } from "../../agent/contract/client.ts";
import { type Context, context as contextSchema } from "../../agent/contract/context.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { productVersion } from "../../agent/contract/version.ts";
import type { Finding } from "../../bootstrap/findings.ts";
import { jumpChain } from "../../providers/ssh/jump-chain.ts";
import { certificateLines, type KnownHosts } from "../../providers/ssh/known-hosts.ts";
import type { EnvironmentSettings } from "../../stacks/settings.ts";
import { readSettings } from "../../stacks/settings-file.ts";
import { settingsFile, stateLayout } from "../../stacks/state-layout.ts";
import { spareHosts, wantedMachines } from "../../stacks/wanted-machines.ts";
import { countOf } from "../output.ts";
import { credentialFindings } from "./credentials.ts";

export async function environmentFindings(environment: string): Promise<Finding[]> {
  const { finding, settings } = settingsFinding(environment);
  const keys = settings === undefined ? [] : await hostFindings(settings);
  return [finding, ...keys, ...modes(environment), ...(await access(environment))];
}

/** Of one that has not begun here: whether its settings hold. Its keys may be other people's, and those to start from name nobody's. */
export function describedFindings(environment: string): Finding[] {
  const { finding } = settingsFinding(environment);
  const hint = `It has not been brought up here. Its keys and hosts: spillway doctor --env ${environment}`;
  return [finding.ok && environment !== "local" ? { ...finding, hint } : finding];
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

/** The machines that are logged in to, and the known_hosts of their pools: what is not looked at there is told. */
async function hostFindings(settings: EnvironmentSettings): Promise<Finding[]> {
  const wanted = [...wantedMachines(settings), ...spareHosts(settings)];
  const pools = Object.values(settings.pools).flatMap((pool) => (pool.provider === "ssh" ? (pool.knownHosts ?? []) : []));
  const files = new Map(pools.map((known) => [known.file, known]));
  return [
    ...(await credentialFindings([
      ...wanted.flatMap((machine) => (machine.provider === "ssh" ? [machine.host] : [])),
      ...Object.keys(settings.jumps).flatMap((name) => jumpChain(name, settings.jumps) ?? []),
    ])),
    ...[...files.values()].map(knownHostsFinding),
  ];
}

export function knownHostsFinding(known: KnownHosts): Finding {
  const found = `${known.file}: ${countOf(known.entries.length, "line")}`;
  const lines = certificateLines(known);
  if (lines.length === 0) return { name: "known hosts", ok: true, found };
  const hint = `Certificates are not looked at: line ${lines.join(", ")} (@cert-authority) counts for nothing. Hosts that are known by it alone need a hostKey.`;
  return { name: "known hosts", ok: true, found, hint };
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
