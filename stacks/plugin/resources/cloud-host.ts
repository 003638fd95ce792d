/** Provider side of `CloudHost`: the first connection to a machine that a cloud has made, and the pin of its own host key. */
import { z } from "zod";
import { credentialReference, jumpHost, type Machine, machine } from "../../../agent/contract/machine.ts";
import { resources } from "../../../agent/contract/resources.ts";
import { pinHostKey } from "../../../bootstrap/actions/pin-host-key.ts";
import { providerOf } from "../../../providers/registry.ts";
import { cloudScopes } from "../../cloud-scopes.ts";
import type { ResourceContext, ResourceHandler } from "../rpc.ts";

const inputs = z.object({
  environmentId: z.string(),
  name: z.string(),
  pool: z.string(),
  provider: z.string(),
  providerId: z.string(),
  host: z.string(),
  privateHost: z.string().describe("by which machines of its own network reach it"),
  user: z.string(),
  credential: credentialReference,
  seedHostKey: z.string().describe("of a machine that joins by itself: empty"),
  join: z.literal("cloud-init").optional(),
  jump: jumpHost.optional(),
  bootTimeoutMs: z.number().int().positive(),
  labels: z.record(z.string(), z.string()),
  attributes: z.record(z.string(), z.string()),
  price: z.object({ hourly: z.number() }).optional(),
  burst: z.string().optional(),
  capacity: resources.optional(),
});
const outputs = z.object({ machine, status: z.enum(["running", "stopped"]) });
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const cloudHost: ResourceHandler<Inputs, Outputs> = {
  inputs,
  outputs,
  secrets: [],
  // Another machine is another host, whose key is made anew.
  replaceOn: ["environmentId", "name", "providerId"],
  // What it costs was told when it was made; the price kept on another computer is no difference.
  ignored: ["bootTimeoutMs", "seedHostKey", "price"],
  needsMending: (state) => state.status !== "running",

  async create(spec, context) {
    // Nobody connects to it; that it is there its cloud has said.
    if (spec.join !== undefined) return { id: spec.providerId, outputs: { machine: machineOf(spec, undefined), status: "running" } };
    const born = machineOf(spec, spec.seedHostKey);
    context.status("waiting for its first answer");
    const hostKey = await pinHostKey({
      machine: born,
      patienceMs: spec.bootTimeoutMs,
      onProgress: context.status,
      onSentence: context.sentence,
      signal: context.signal,
    });
    return { id: spec.providerId, outputs: { machine: machineOf(spec, hostKey), status: "running" } };
  },

  async read(_id, state) {
    const status = await providerOf(state.provider).status(state.machine);
    return status === "gone" ? undefined : { machine: state.machine, status: status === "running" ? "running" : "stopped" };
  },

  async update(_id, old, spec, context) {
    const host = (await switchOn(old, context)) ?? spec.host;
    return { machine: machineOf({ ...spec, host }, old.machine.hostKey), status: "running" };
  },

  /** Its machine is deleted by the cloud's own resource, in the next step. */
  async delete() {},
};

/** Where it is reached from then on, if it was off: a machine that is off may have no public address, and gets another one. */
async function switchOn({ machine: old, environmentId }: Inputs & Outputs, { status }: ResourceContext): Promise<string | undefined> {
  const provider = providerOf(old.provider);
  if ((await provider.status(old)) === "running") return undefined;
  status("switching it on");
  await provider.start(old);
  const { provider: cloud, attributes } = old;
  const scope = {
    directory: "",
    hosts: [],
    identityOf: async () => undefined,
    clouds: cloudScopes([{ provider: cloud, region: attributes.region }]),
  };
  const { machines } = await provider.list(environmentId, scope);
  return machines.find(({ machine: { providerId } }) => providerId === old.providerId)?.machine.host;
}

function machineOf(spec: Inputs, hostKey: string | undefined): Machine {
  const {
    name,
    pool,
    provider,
    providerId,
    host,
    user,
    credential,
    jump,
    labels,
    attributes,
    price,
    burst,
    capacity,
    bootTimeoutMs,
    join,
  } = spec;
  return {
    name,
    pool,
    provider,
    providerId,
    host,
    port: 22,
    user,
    ...(hostKey === undefined ? {} : { hostKey }),
    credential,
    connectTimeoutMs: bootTimeoutMs,
    labels,
    attributes,
    ...(jump === undefined ? {} : { jump }),
    ...(price === undefined ? {} : { price }),
    ...(burst === undefined ? {} : { burst }),
    ...(capacity === undefined ? {} : { capacity }),
    ...(join === undefined ? {} : { join }),
  };
}
