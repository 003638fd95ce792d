/** Compares what the ledger says, what the stacks hold and what the providers list, and mends it when asked to. */
import { createClient } from "../../agent/contract/client.ts";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import { providerOf } from "../../providers/registry.ts";
import type { Finding } from "../burst/compare.ts";
import { type BursterConfig, readBursterConfig } from "../burst/config.ts";
import { rememberLedger } from "../burst/known-ledger.ts";
import { unaskedSentence } from "../burst/machines.ts";
import { type Look, lookAround, type Mending, mend } from "../burst/sweep.ts";
import { isBursterRunning, startBurster } from "../burst/unit.ts";
import { cloudScopes } from "../cloud-scopes.ts";
import { isUnreachable, withPatientMaster } from "../plugin/master-access.ts";
import { readSettings } from "../settings-file.ts";
import { stateLayout } from "../state-layout.ts";
import { listClouds } from "./found-in-clouds.ts";
import { knownMachines } from "./machines.ts";
import { namesRole, roleAtAzure } from "./role-at-azure.ts";

export interface FsckFinding {
  readonly kind: Finding["kind"] | "unknown-pool-machine" | "unknown-pool-thing" | "burster-stopped" | "unasked";
  readonly burst?: string;
  /** A sentence. */
  readonly found: string;
  /** What was done about it, as a sentence; undefined when nothing was. */
  readonly mended?: string;
  /** Why it could not be mended. */
  readonly failed?: string;
  /** What a person can do about it. */
  readonly next?: string;
}

export interface FsckResult {
  /** Undefined when it was read, else a sentence that says why it could not be. */
  readonly ledgerProblem: string | undefined;
  /** How many machines of bursts and stacks were looked at. */
  readonly looked: { readonly machines: number; readonly bursts: number };
  readonly findings: readonly FsckFinding[];
}

export interface FsckOptions {
  readonly fix: boolean;
  /** The environment's name, typed by whoever gives up what a silent master knows: without it nothing is ended on its silence. */
  readonly forget?: string | undefined;
  readonly onProgress: (text: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * What is wrong is a finding. Throws `no-such-environment`, `settings`, and what a master answers that does not tell its
 * ledger: such an answer is never taken for an empty ledger.
 */
export async function fsck(
  environment: string,
  { fix, forget, onProgress, signal = new AbortController().signal }: FsckOptions,
): Promise<FsckResult> {
  readSettings(environment);
  const layout = stateLayout(environment);
  const findings: FsckFinding[] = await strangeInPools(environment);
  const config = readBursterConfig(layout.bursts);
  if (config === undefined) return { ledgerProblem: undefined, looked: { machines: 0, bursts: 0 }, findings };
  const client = createClient({ url: config.endpoint, ca: config.caCert, token: config.adminToken, environment });
  try {
    let ledgerProblem: string | undefined;
    const readLedger = async () => {
      onProgress("asking the master for its ledger");
      try {
        const { ledger, rows } = await withPatientMaster(config, (patient) => patient.bursts());
        return { id: ledger.id, rows };
      } catch (error) {
        if (!isUnreachable(error)) throw error;
        ledgerProblem = describeError(error);
        return undefined;
      }
    };
    onProgress("asking the providers what there is");
    const look = await lookAround(config, { readLedger, signal });
    for (const one of look.listing.unasked)
      findings.push({ kind: "unasked", found: unaskedSentence(one), next: "Switch it on or mend its network, and ask again." });
    const mayMend = fix && (look.ledger !== undefined || forget === environment);
    const mending = { config, client: look.ledger === undefined ? undefined : client, log: onProgress, signal };
    for (const finding of look.findings) {
      // What may be one host under two addresses is for its owner to say.
      const isForUs = mayMend && !(finding.kind === "second-machine" && finding.onlyTold);
      if (isForUs) onProgress(finding.found);
      findings.push(isForUs ? await mendedOrNot(finding, look, mending) : { ...told(finding), next: nextOf(finding, look, environment) });
    }
    if (!isBursterRunning(config.directory)) findings.push(await stoppedBurster(config, fix));
    if (mayMend && look.ledger !== undefined && findings.every(({ failed }) => failed === undefined))
      rememberLedger(config, look.ledger.id);
    return {
      ledgerProblem,
      looked: { machines: look.listing.machines.length, bursts: look.ledger?.rows.length ?? 0 },
      findings,
    };
  } finally {
    client.dispose();
  }
}

async function mendedOrNot(finding: Finding, look: Look, mending: Mending): Promise<FsckFinding> {
  try {
    return { ...told(finding), mended: await mend(finding, look, mending) };
  } catch (error) {
    return { ...told(finding), failed: describeError(error), next: "Run it again." };
  }
}

/** With `fix` it is started. */
async function stoppedBurster(config: BursterConfig, fix: boolean): Promise<FsckFinding> {
  const finding = {
    kind: "burster-stopped" as const,
    found: "the burster does not run: nothing is bought, and nothing that was bought is given back",
  };
  if (!fix) return { ...finding, next: `./spillway up ${config.environment} starts it.` };
  try {
    await startBurster(config);
    return { ...finding, mended: "started it" };
  } catch (error) {
    return { ...finding, failed: describeError(error), next: `./spillway up ${config.environment} starts it.` };
  }
}

function told({ kind, burst, found }: Finding): FsckFinding {
  return { kind, burst, found };
}

function nextOf({ kind, onlyTold }: Finding, { ledger }: Look, environment: string): string {
  if (ledger === undefined) {
    return `Mend the master: ./spillway up ${environment}. If it is gone for good: ./spillway fsck --fix ${environment} --forget ${environment} ends it.`;
  }
  if (kind === "second-machine" && onlyTold) return "Is it one host under two addresses? Then write it once in the settings.";
  if (kind === "lost-machine" || kind === "second-machine") return "The burster ends it by itself in a moment.";
  return `./spillway fsck --fix ${environment} ends it.`;
}

/**
 * Machines that bear the environment's tag, and disks, addresses and the like that hang on none, which are in no stack. They
 * are never deleted unasked: an interrupted `up` may have made them, and the next takes the machines over.
 */
async function strangeInPools(environment: string): Promise<FsckFinding[]> {
  const { environmentId, machines, ids } = await knownMachines(environment);
  if (environmentId === undefined) return [];
  // Azure writes one id in several cases.
  const known = new Set([...machines.map(({ machine }) => machine.providerId), ...ids].map((id) => id.toLowerCase()));
  const { pools, burst: bursts } = readSettings(environment);
  // The environment has networks of its own also where it only bursts.
  const clouds = cloudScopes([...Object.values(pools), ...Object.values(bursts?.pools ?? {})]);
  const local = providerOf("local").list(environmentId, {
    directory: stateLayout(environment).machines,
    hosts: [],
    identityOf: () => Promise.reject(new SpillwayError("bug: no host is asked here", { code: "bug" })),
    clouds,
  });
  const listings = [await local, ...(await listClouds(environment, environmentId, clouds))];
  const strangers = listings
    .flatMap((listing) => listing.machines)
    .filter(({ machine, burst }) => burst === undefined && !known.has(machine.providerId.toLowerCase()))
    .map(({ machine: { name, providerId } }) => {
      // What an engine had asked for before it was killed may come after the next one has asked again.
      const first = machines.find(({ machine }) => machine.name === name)?.machine.providerId;
      return {
        kind: "unknown-pool-machine" as const,
        found: `machine ${name} (${providerId}) is there and in no stack`,
        next:
          first === undefined
            ? `An interrupted up may have made it: ./spillway up ${environment} takes it over.`
            : `It is a second one beside ${first}: end it in its cloud, or keep it until ./spillway destroy ${environment} does.`,
      };
    });
  const things = listings
    .flatMap((listing) => listing.things)
    .filter(({ id, burst, of }) => burst === undefined && of === undefined && !known.has(id.toLowerCase()))
    .map(({ id, kind, provider, hourly }) => ({
      kind: "unknown-pool-thing" as const,
      found: `the ${kind} ${id} in ${provider} is in no stack${hourly === undefined ? "" : ` and costs ${hourly} USD/hour`}`,
      next: `An interrupted up may have made it: delete it there, or keep it until ./spillway destroy ${environment} does.`,
    }));
  const role = await roleAtAzure(environmentId, clouds);
  const roles =
    role === undefined || namesRole(ids, role)
      ? []
      : [
          {
            kind: "unknown-pool-thing" as const,
            found: `the role ${role.id} in azure is in no stack`,
            next: `An interrupted up may have made it: ./spillway up ${environment} makes it again, ./spillway destroy ${environment} deletes it.`,
          },
        ];
  return [...strangers, ...things, ...roles];
}
