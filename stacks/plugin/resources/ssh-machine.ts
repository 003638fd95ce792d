/** Provider side of `SshMachine`: its key is pinned, and what speaks against it is written down before any host is changed. */
import { z } from "zod";
import { describeError, SpillwayError } from "../../../agent/contract/errors.ts";
import { credentialReference, jumpHost, machine, secretReference, whereOf } from "../../../agent/contract/machine.ts";
import { resources } from "../../../agent/contract/resources.ts";
import { checkMachine, type HostReport } from "../../../bootstrap/actions/check.ts";
import { readMachineIdentity } from "../../../bootstrap/actions/identity.ts";
import { refusalOf } from "../../../bootstrap/findings.ts";
import { identityFor } from "../../../bootstrap/machine-facts.ts";
import { presentedHostKeys } from "../../../bootstrap/ssh/connection.ts";
import { machineOfHost } from "../../../providers/ssh/inventory.ts";
import { sshProviderId } from "../../../providers/ssh/pool.ts";
import { trustedKey } from "../../trusted-key.ts";
import { removeFromMachine } from "../remove-from-machine.ts";
import type { ResourceContext, ResourceHandler } from "../rpc.ts";

const inputs = z.object({
  environmentId: z.string(),
  environment: z.string(),
  name: z.string(),
  pool: z.string(),
  host: z.string(),
  port: z.number().int(),
  user: z.string(),
  credential: credentialReference,
  hostKey: z.string().optional(),
  trustOnFirstUse: z.boolean(),
  jump: jumpHost.optional(),
  sudoPassword: secretReference.optional(),
  connectTimeoutMs: z.number().int().nonnegative().optional(),
  labels: z.record(z.string(), z.string()),
  site: z.string().optional(),
  price: z.object({ hourly: z.number() }).optional(),
  burst: z.string().optional().describe("the burst that takes it; missing in stacks of version 0.2, like the capacity"),
  capacity: resources.optional().describe("what tasks may use of it; without it its agent measures"),
  dials: z.string().optional(),
  listenPort: z.number().int().optional(),
});
const outputs = z.object({
  machine,
  /** `failed`: as last looked at it can't be used, and `problem` says why. */
  status: z.enum(["ok", "failed"]),
  /** Empty when it can be used: what an output lacks is unknown to a preview, and all that depends on it would be told as changing. */
  problem: z.string().default(""),
});
/** What a machine that is refused can't do. */
const asNode = "become a node";
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const sshMachine: ResourceHandler<Inputs, Outputs> = {
  inputs,
  outputs,
  secrets: [],
  replaceOn: ["environmentId", "name"],
  // A key that was just trusted by name is pinned by an update.
  needsMending: (state) => state.status !== "ok" || trustedKey(state.machine.name) !== undefined,

  async create(spec, context) {
    return { id: sshProviderId(spec.host, spec.port), outputs: await examine(spec, undefined, context) };
  },

  async read(_id, state, context) {
    const known = outputs.parse(state);
    try {
      const report = await look(state, state.machine, context);
      const refusal = refusalOf(report.findings, { what: asNode, where: whereOf(state) });
      return refusal === undefined
        ? { ...known, status: "ok", problem: "" }
        : { ...known, status: "failed", problem: describeError(refusal) };
    } catch (error) {
      return { ...known, status: "failed", problem: describeError(error) };
    }
  },

  async update(_id, old, spec, context) {
    return await examine(spec, old, context);
  },

  /** Its owner keeps it. Nodes and the master were taken off before; what a failed first `up` began there is not in the state. */
  async delete(_id, state, context) {
    if (state.machine.hostKey === undefined) return;
    try {
      const identity = await readMachineIdentity({ machine: state.machine, signal: context.signal });
      if (identity === undefined) return;
      for (const role of ["agent", "master"] as const) await removeFromMachine(state, role, context);
    } catch (error) {
      if (!(error instanceof SpillwayError) || error.code === "cancelled") throw error;
      context.log(`it could not be looked at for the last time: ${error.message}`);
    }
  },
};

async function examine(spec: Inputs, old: (Inputs & Outputs) | undefined, context: ResourceContext): Promise<Outputs> {
  const arch = old?.machine.attributes.arch;
  let hostKey = pinned(spec, old);
  try {
    hostKey ??= await firstKey(spec, context);
    const report = await look(spec, machineOf(spec, { hostKey, arch }), context, spec.connectTimeoutMs);
    const refusal = refusalOf(report.findings, { what: asNode, where: whereOf(spec) });
    if (refusal !== undefined) throw refusal;
    return { machine: machineOf(spec, { hostKey, arch: report.facts.arch }), status: "ok", problem: "" };
  } catch (error) {
    if (context.signal.aborted) throw error;
    return { machine: machineOf(spec, { hostKey, arch }), status: "failed", problem: describeError(error) };
  }
}

/** What the settings say, else what was trusted by hand just now, else what was pinned at the first use of this very address. */
function pinned(spec: Inputs, old: Outputs | undefined): string | undefined {
  if (spec.hostKey !== undefined) return spec.hostKey;
  const sameHost = old !== undefined && old.machine.host === spec.host && old.machine.port === spec.port;
  return trustedKey(spec.name) ?? (sameHost ? old.machine.hostKey : undefined);
}

async function firstKey(spec: Inputs, context: ResourceContext): Promise<string> {
  const where = whereOf(spec);
  context.status("reading its host key");
  if (spec.trustOnFirstUse) {
    const [key] = await presentedHostKeys(spec, where);
    context.log(`its host key ${key} is trusted from now on (trustOnFirstUse)`);
    return key;
  }
  const presented = await presentedHostKeys(spec, where).then(
    ([key]) => `It presents ${key}; compare it there (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then write hostKey: "${key}"`,
    () => "Read it there: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, then write hostKey: SHA256:…",
  );
  throw new SpillwayError("its SSH host key is not pinned, so nothing was sent to it", {
    code: "host-key-unknown",
    where,
    hint: `${presented}\n  Or write trustOnFirstUse: true to believe what it presents at first.`,
  });
}

/** `patienceMs`: for a host that does not answer; as little as may be without it. */
async function look(spec: Inputs, target: Outputs["machine"], context: ResourceContext, patienceMs?: number): Promise<HostReport> {
  const { dials, listenPort } = spec;
  return await checkMachine({
    machine: target,
    identity: identityFor(target, spec),
    dials,
    listenPort,
    patienceMs,
    onProgress: context.status,
    signal: context.signal,
  });
}

function machineOf(spec: Inputs, found: { hostKey: string | undefined; arch: string | undefined }): Outputs["machine"] {
  const { burst, capacity } = spec;
  return machineOfHost(spec.pool, spec, { ...found, burst, capacity });
}
