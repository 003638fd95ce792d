/**
 * Takes an environment over whose state and context were lost: its machines say whose they are, the master's records hold
 * their pins, and an `up` under a new root CA joins every node anew while its tasks go on.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "../../agent/contract/client.ts";
import { context as contextSchema } from "../../agent/contract/context.ts";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import type { PinLine } from "../../agent/contract/pins.ts";
import { readMachineIdentity } from "../../bootstrap/actions/identity.ts";
import { readMastersPins } from "../../bootstrap/actions/read-pins.ts";
import { presentedHostKeys } from "../../bootstrap/ssh/connection.ts";
import { localMachineRecord } from "../../providers/local/record.ts";
import { providerOf } from "../../providers/registry.ts";
import { machineOfHost } from "../../providers/ssh/inventory.ts";
import { adoptionVariable } from "../adopted-environment.ts";
import { rememberLedger } from "../burst/known-ledger.ts";
import { readSettings } from "../settings-file.ts";
import { type StateLayout, stateLayout } from "../state-layout.ts";
import { trustVariables } from "../trusted-key.ts";
import { isCloudMachine, mastersMachine, type WantedCloudMachine, type WantedMachine, wantedMachines } from "../wanted-machines.ts";
import { type Adoption, type AdoptionInput, type Asked, adoptionOf } from "./adoption.ts";
import { destroy } from "./destroy.ts";
import { type KnownMachines, knownMachines } from "./machines.ts";
import type { ProgressOptions } from "./progress.ts";
import { type UpOptions, type UpResult, up } from "./up.ts";

type SshWanted = Extract<WantedMachine, { provider: "ssh" }>;

export interface LookOptions {
  /** Host keys that the operator names, by machine; under "" that of the master's machine. */
  readonly trusted: ReadonlyMap<string, string>;
  /** Asks the person whether a key that a machine presents is its own. Throws where nobody can be asked. */
  readonly confirmKey: (machine: Machine, presented: string) => Promise<boolean>;
  readonly onProgress: (text: string) => void;
  readonly signal?: AbortSignal;
}

export interface AdoptionLook extends Adoption {
  /** Host keys that the settings do not pin, by machine: by the master's pins or by the person's word. */
  readonly keys: ReadonlyMap<string, string>;
  /** How many machines the settings want. */
  readonly machines: number;
}

/**
 * Looks at everything and changes nothing. Throws `state-there`, what `adoptionOf` throws, `host-key-unknown` and
 * `host-key-mismatch` for a machine that nothing vouches for.
 */
export async function lookForAdoption(environment: string, options: LookOptions): Promise<AdoptionLook> {
  const settings = readSettings(environment);
  const layout = stateLayout(environment);
  const known = await knownMachines(environment);
  if (known.isComplete) throw stateIsThere(environment);
  const all = wantedMachines(settings);
  const inCloud = all.find(isCloudMachine);
  if (inCloud !== undefined) {
    throw new SpillwayError("machines of clouds can't be adopted yet: only their cloud's tags know them", {
      code: "adopt-cloud",
      where: `machine ${inCloud.name}`,
      hint: `List them there by the tag spillway:environment = ${environment}.`,
    });
  }
  const wanted = all.filter((one): one is OwnMachine => !isCloudMachine(one));
  const master = mastersMachine(all, settings).name;
  const carrier = wanted.find(({ name }) => name === master) as OwnMachine;
  const keys = new Map<string, string>();
  const asked: Asked[] = [];
  const { pins, ...first } = await askCarrier(carrier, layout, keys, options);
  asked.push({ ...first, isCarrier: true });
  const pinned = new Map(
    (pins ?? []).flatMap((pin) => (pin.kind === "node" && pin.hostKey !== undefined ? [[pin.name, pin] as const] : [])),
  );
  const others = wanted.filter(({ name }) => name !== carrier.name);
  // Keys one after the other, since a person may be asked; then the machines side by side.
  for (const one of others) {
    if (one.provider === "ssh") await keyOf(one, pinned.get(one.name), keys, options);
  }
  let done = 1;
  asked.push(
    ...(await Promise.all(
      others.map(async (one) => {
        const answer = await askMachine(one, layout, keys, options.signal);
        options.onProgress(`asked ${++done} of ${wanted.length} machines whose they are`);
        return { ...answer, isCarrier: false };
      }),
    )),
  );
  const adoption = adoptionOf({ environment, asked, pins, begun: begunBy(known) });
  return { ...adoption, keys, machines: wanted.length };
}

export interface AdoptionResult extends UpResult {
  /** Bursts that were told to end: their machines go, their tasks are tried again elsewhere. */
  readonly ended: readonly string[];
}

/** Throws what `up` throws; adopted again, or by `up`, it goes on from there. */
export async function adopt(environment: string, look: AdoptionLook, options: UpOptions): Promise<AdoptionResult> {
  const { bursts } = stateLayout(environment);
  if (look.supersedes) await destroy(environment, options);
  // A ledger that begins anew must not make machines unknown that the lost one wanted: they are only told, until fsck --fix.
  if (look.hasRecords !== true && readSettings(environment).burst !== undefined)
    rememberLedger({ directory: bursts }, `before the adoption of ${look.environmentId}`);
  const variables = { ...adoptionVariable(environment, look.environmentId), ...trustVariables(look.keys) };
  const result = await up(environment, { ...options, variables });
  return { ...result, ended: await endBursts(environment, look, options) };
}

function begunBy({ environmentId, hasRoles }: KnownMachines): AdoptionInput["begun"] {
  return environmentId === undefined ? undefined : { environmentId, hasRoles };
}

/** One that no cloud has made. */
type OwnMachine = Exclude<WantedMachine, WantedCloudMachine>;

interface CarrierAnswer extends Omit<Asked, "isCarrier"> {
  readonly pins: readonly PinLine[] | undefined;
}

/** Its own key is not among the pins that it holds: the settings name it, or the operator does. */
async function askCarrier(
  carrier: OwnMachine,
  layout: StateLayout,
  keys: Map<string, string>,
  options: LookOptions,
): Promise<CarrierAnswer> {
  options.onProgress(`asking ${carrier.name}, which carries the master`);
  if (carrier.provider === "ssh") await keyOf(carrier, undefined, keys, { ...options, trusted: withName(options.trusted, carrier.name) });
  const answer = await askMachine(carrier, layout, keys, options.signal);
  if (answer.answer.kind === "silent" || answer.answer.identity === undefined) return { ...answer, pins: undefined };
  const machine = await machineOf(carrier, layout, keys);
  if (machine === undefined) return { ...answer, pins: undefined };
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  // A local machine that is off holds its records all the same; they are read when it runs again.
  const pins = await readMastersPins({ machine, ...signal }).catch((error: unknown) => {
    if (carrier.provider === "local") return undefined;
    throw error;
  });
  return { ...answer, pins };
}

/** `--trust SHA256:…` without a name is the master's machine's. */
function withName(trusted: ReadonlyMap<string, string>, carrier: string): ReadonlyMap<string, string> {
  const bare = trusted.get("");
  return bare === undefined ? trusted : new Map([...trusted, [carrier, bare]]);
}

async function askMachine(
  one: OwnMachine,
  layout: StateLayout,
  keys: ReadonlyMap<string, string>,
  signal: AbortSignal | undefined,
): Promise<Omit<Asked, "isCarrier">> {
  const onFailure = one.provider === "ssh" ? one.settings.onFailure : "stop";
  const bare = { name: one.name, where: one.provider === "ssh" ? whereOf(one.host) : `machine ${one.name}`, onFailure } as const;
  if (one.provider === "local") {
    const record = readLocalRecord(layout, one.name);
    if (record === undefined) return { ...bare, answer: { kind: "asked" } };
    const { environmentId, name, burst } = record;
    const tag = burst === undefined ? {} : { burst };
    return { ...bare, answer: { kind: "asked", identity: { environmentId, environment: "", machine: name, ...tag } } };
  }
  try {
    const identity = await readMachineIdentity({ machine: sshMachineOf(one, keys), ...(signal === undefined ? {} : { signal }) });
    return { ...bare, answer: identity === undefined ? { kind: "asked" } : { kind: "asked", identity } };
  } catch (error) {
    if (!(error instanceof SpillwayError) || error.code === "cancelled") throw error;
    const hint = error.hint === undefined ? "" : `\n${error.hint}`;
    return { ...bare, answer: { kind: "silent", why: `${error.message}${hint}` } };
  }
}

/** Fills in the key of a host that the settings do not pin. Leaves out one that does not answer: that is told of it then. */
async function keyOf(
  one: SshWanted,
  pin: Extract<PinLine, { kind: "node" }> | undefined,
  keys: Map<string, string>,
  { trusted, confirmKey }: LookOptions,
): Promise<void> {
  if (one.host.hostKey !== undefined) return;
  const known = trusted.get(one.name) ?? samePlace(one, pin);
  if (known !== undefined) {
    keys.set(one.name, known);
    return;
  }
  const machine = sshMachineOf(one, keys);
  const presented = await presentedHostKeys(machine, whereOf(machine)).then(
    ([first]) => first,
    () => undefined,
  );
  if (presented === undefined) return;
  if (!(await confirmKey(machine, presented))) {
    throw new SpillwayError(`its host key ${presented} was not confirmed, so nothing was sent to it`, {
      code: "host-key-unknown",
      where: whereOf(machine),
      hint: "Compare it on the host itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
    });
  }
  keys.set(one.name, presented);
}

/** A pin is of one address; the same name at another one may be another machine. */
function samePlace({ host }: SshWanted, pin: Extract<PinLine, { kind: "node" }> | undefined): string | undefined {
  return pin !== undefined && pin.host === host.host && pin.port === host.port ? pin.hostKey : undefined;
}

function sshMachineOf(one: SshWanted, keys: ReadonlyMap<string, string>): Machine {
  return machineOfHost(one.pool, one.host, { hostKey: keys.get(one.name) });
}

async function machineOf(one: OwnMachine, layout: StateLayout, keys: ReadonlyMap<string, string>): Promise<Machine | undefined> {
  if (one.provider === "ssh") return sshMachineOf(one, keys);
  const id = readLocalRecord(layout, one.name)?.environmentId;
  if (id === undefined) return undefined;
  const identityOf = () => Promise.resolve(undefined);
  const { machines } = await providerOf("local").list(id, { directory: layout.machines, hosts: [], identityOf, clouds: {} });
  return machines.find(({ machine, status }) => machine.name === one.name && status === "running")?.machine;
}

/** A machine on this computer is its directory; it lies beside the state, and is lost with it or not. */
function readLocalRecord(layout: StateLayout, name: string) {
  const file = join(layout.machines, name, "machine.json");
  if (!existsSync(file)) return undefined;
  try {
    return localMachineRecord.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

/** Their nodes have certificates of the former root, and their stacks may be lost: they end by their rows, and what still waits is bought anew. */
async function endBursts(environment: string, { bursts, hasRecords }: Adoption, { onNotice }: ProgressOptions): Promise<string[]> {
  const context = contextSchema.parse(JSON.parse(readFileSync(stateLayout(environment).context, "utf8")));
  const former = new Set(bursts.map(({ id }) => id));
  const client = createClient(context);
  try {
    const ended: string[] = [];
    for (const { id, state } of (await client.bursts()).rows) {
      // What was bought since is this master's own; where its records could not be read before, nothing can have been yet.
      if (state === "retiring" || state === "leaked" || (hasRecords === true && !former.has(id))) continue;
      try {
        await client.stopBurst(id, { now: true, reason: "the environment was adopted" });
        ended.push(id);
      } catch (error) {
        onNotice(
          `the burst ${id} could not be told to end: ${describeError(error)}\n  spillway burst stop ${id} --now --env ${environment}`,
        );
      }
    }
    return ended;
  } finally {
    client.dispose();
  }
}

function stateIsThere(environment: string): SpillwayError {
  return new SpillwayError("its state is there, so there is nothing to adopt", {
    code: "state-there",
    where: `environment ${environment}`,
    hint: `\`./spillway up ${environment}\` mends what is broken, and writes the context anew.`,
  });
}
