/** Looks at one machine of an environment as `up` would before it changes anything. Nothing is changed, there or here. */
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import { type CheckRequest, checkMachine } from "../../bootstrap/actions/check.ts";
import type { Finding } from "../../bootstrap/findings.ts";
import { identityFor, type MachineFacts } from "../../bootstrap/machine-facts.ts";
import { presentedHostKeys } from "../../bootstrap/ssh/connection.ts";
import { machineOfHost } from "../../providers/ssh/inventory.ts";
import { readSettings } from "../settings-file.ts";
import { masterEndpoint, mastersMachine, spareHosts, wantedMachines, waysOf } from "../wanted-machines.ts";
import { findMachine, type KnownMachine, knownMachines, noSuchMachine } from "./machines.ts";

export interface HostCheck {
  readonly machine: Machine;
  /** Undefined when it could not be asked. */
  readonly facts: MachineFacts | undefined;
  readonly findings: readonly Finding[];
}

interface Options extends Pick<CheckRequest, "onProgress" | "signal"> {
  /** Called before the machine is logged in to. */
  readonly prepare?: (machine: Machine) => Promise<void>;
}

/** Throws `no-such-environment`, `settings` and `no-such-machine`; what stands against the machine is a finding. */
export async function checkHost(environment: string, typed: string, { prepare, ...options }: Options = {}): Promise<HostCheck> {
  const settings = readSettings(environment);
  const known = await knownMachines(environment);
  const wanted = wantedMachines(settings);
  const spare = spareHosts(settings);
  const one = findMachine([...wanted, ...spare], (each) => (each.provider === "ssh" ? each.host : each), typed);
  const made = findMachine(known.machines, ({ machine }) => machine, one?.name ?? typed);
  const subject = one?.provider === "ssh" ? machineOfHost(one.pool, one.host, { hostKey: pinOf(one.host, made) }) : made?.machine;
  if (subject === undefined) {
    if (one !== undefined) throw notMade(environment, one.name);
    throw noSuchMachine(environment, typed, [...wanted, ...spare, ...known.machines.map(({ machine }) => machine)]);
  }
  await prepare?.(subject);
  const trusted = one?.provider === "ssh" && one.host.trustOnFirstUse && subject.hostKey === undefined;
  const carrier = mastersMachine(wanted, settings);
  try {
    const key = trusted ? (await presentedHostKeys(subject, whereOf(subject)))[0] : undefined;
    const machine = key === undefined ? subject : { ...subject, hostKey: key };
    const request = {
      machine,
      identity: identityFor(machine, { environmentId: known.environmentId, environment }),
      ...(one?.provider === "ssh" ? waysOf(masterEndpoint(carrier, settings), one.name === carrier.name) : {}),
      ...options,
    };
    const { facts, findings } = await checkMachine(request);
    return { machine, facts, findings: [connection(machine, key), ...findings] };
  } catch (error) {
    if (!(error instanceof SpillwayError) || error.code === "cancelled") throw error;
    return {
      machine: subject,
      facts: undefined,
      findings: [await unreachable(subject, error)],
    };
  }
}

/** The key known of this very address. */
function pinOf({ host, port }: { readonly host: string; readonly port: number }, made: KnownMachine | undefined): string | undefined {
  return made?.machine.host === host && made.machine.port === port ? made.machine.hostKey : undefined;
}

function connection(machine: Machine, firstKey: string | undefined): Finding {
  const key =
    firstKey === undefined ? `host key ${machine.hostKey}, as pinned` : `host key ${firstKey}, not known before (trustOnFirstUse)`;
  return { name: "SSH", ok: true, found: `logged in as ${machine.user}; ${key}` };
}

async function unreachable(machine: Machine, error: SpillwayError): Promise<Finding> {
  // A refusal of a jump host is told as that.
  const place = error.where === undefined || error.where === whereOf(machine) ? "" : `${error.where}: `;
  const failed = { name: "SSH", ok: false, found: `${place}${error.message}` };
  if (error.code === "host-key-mismatch" && place === "")
    return { ...failed, hint: `If the machine was made anew: spillway nodes trust ${machine.name}` };
  if (error.code !== "host-key-unknown") return error.hint === undefined ? failed : { ...failed, hint: error.hint };
  const compare = "Compare it on the machine (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)";
  const hint = await presentedHostKeys(machine, whereOf(machine)).then(
    ([key]) => `It presents ${key}. ${compare}, then write hostKey: "${key}" in the settings.`,
    (cause: unknown) => describeError(cause),
  );
  return { ...failed, hint };
}

function notMade(environment: string, name: string): SpillwayError {
  return new SpillwayError(`the machine ${name} is not made yet`, {
    code: "no-such-machine",
    hint: `\`./spillway up ${environment}\` makes it.`,
  });
}
