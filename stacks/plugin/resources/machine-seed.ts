/**
 * Provider side of `MachineSeed`: what a cloud machine is born with, made once and kept. Of a machine that somebody connects to it is
 * a key pair and a text, and nothing in the world. One that joins by itself is born with a token and finds its bundle at the master.
 */
import { z } from "zod";
import { cloudName } from "../../../agent/contract/agent-config.ts";
import { ifFound } from "../../../agent/contract/errors.ts";
import { joinUserData } from "../../../bootstrap/cloud-join/cloud-config.ts";
import { joinFiles } from "../../../bootstrap/cloud-join/join-files.ts";
import { endUnlessClaimed } from "../../../bootstrap/commands/unclaimed.ts";
import { makeSeedKey } from "../../../bootstrap/ssh/seed-key.ts";
import { providerOf } from "../../../providers/registry.ts";
import { loginOf, userData } from "../../../providers/user-data.ts";
import { bundleAtHand } from "../bundle-at-hand.ts";
import { giveBundle } from "../give-bundle.ts";
import { withMaster, withPatientMaster } from "../master-access.ts";
import type { ResourceContext, ResourceHandler } from "../rpc.ts";

const inputs = z.object({
  name: z.string(),
  user: z.string(),
  authorizedKeys: z.array(z.string()),
  born: z.string().optional().describe("what makes another machine of it"),
  unclaimed: z
    .object({ cloud: cloudName, burst: z.string(), afterMs: z.number().int().positive(), providerId: z.string().optional() })
    .optional()
    .describe("of a burst: without an agent after so long, the machine ends itself"),
  join: z
    .object({
      cloud: cloudName,
      arch: z.enum(["x64", "arm64"]),
      environment: z.string(),
      environmentId: z.string(),
      lifeMs: z.number().int().positive(),
      dials: z.string().optional().describe("the https origin by which the machine reaches the master; without it the endpoint"),
      burst: z.string().optional(),
      deadManMs: z.number().int().positive().optional(),
      providerId: z.string().optional(),
    })
    .optional(),
  endpoint: z.string().optional(),
  caCert: z.string().optional(),
  adminToken: z.string().optional(),
});
const outputs = z.object({
  userData: z.string(),
  hostKey: z.string(),
  /** `stale`: as last read its token is spent or has ended, and no node has come of it: whatever is made next needs another. */
  health: z.enum(["ok", "stale"]).default("ok"),
});
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const machineSeed: ResourceHandler<Inputs, Outputs> = {
  inputs,
  outputs,
  secrets: ["userData", "adminToken"],
  replaceOn: ["name", "user", "born"],
  // They hold for machines that are born from now on.
  ignored: ["authorizedKeys", "unclaimed", "join", "endpoint", "caCert", "adminToken"],
  needsMending: (state) => state.health === "stale",

  async create(spec, context) {
    return { id: spec.name, outputs: await made(spec, context) };
  },

  async read(_id, state) {
    const { userData: text, hostKey } = outputs.parse(state);
    return { userData: text, hostKey, health: await healthOf(state) };
  },

  async update(_id, old, spec, context) {
    // A machine that is there was born, and is none the wiser: its user data is not written again.
    return spec.join === undefined ? outputs.parse(old) : await made(spec, context);
  },

  async delete() {},
};

async function made(spec: Inputs, context: ResourceContext): Promise<Outputs> {
  if (spec.join !== undefined) return { userData: await selfJoining(spec, spec.join, context), hostKey: "", health: "ok" };
  const { user, authorizedKeys, unclaimed } = spec;
  if (authorizedKeys.length === 0) throw new Error("bug: a machine that is connected to needs a key that may log in");
  const { fingerprint, ...hostKey } = makeSeedKey();
  const ending =
    unclaimed === undefined ? {} : { unclaimed: { afterMs: unclaimed.afterMs, script: endUnlessClaimed(endCommand(unclaimed)) } };
  return { userData: userData({ user, authorizedKeys, hostKey, ...ending }), hostKey: fingerprint, health: "ok" };
}

type Join = NonNullable<Inputs["join"]>;

async function selfJoining(spec: Inputs, join: Join, context: ResourceContext): Promise<string> {
  const access = accessOf(spec);
  const { name, user, authorizedKeys } = spec;
  const { cloud, arch, environment, environmentId, lifeMs, burst } = join;
  // gzip, which every Python and every tar knows.
  const bundle = await bundleAtHand(`linux-${arch}`, { compression: "gzip", onProgress: context.status });
  await giveBundle(bundle, { onProgress: context.status, signal: context.signal, call: (act) => withPatientMaster(access, act) });
  // Last, so that its life begins when all else is there. Asked twice, only the second counts.
  const { token } = await withPatientMaster(access, (client) => client.makeInstanceToken({ node: name, lifeMs }));
  const files = joinFiles({
    node: name,
    endpoint: join.dials ?? access.endpoint,
    caCert: access.caCert,
    cloud,
    token,
    bundle: { digest: bundle.digest, bytes: bundle.bytes, sha256: bundle.sha256 },
    arch,
    identity: { environmentId, environment, machine: name, ...(burst === undefined ? {} : { burst }) },
    patienceMs: lifeMs,
    ...(join.deadManMs === undefined ? {} : { deadMan: { silenceMs: join.deadManMs, end: endCommand(join) } }),
  });
  return joinUserData({ files, ...(authorizedKeys.length === 0 ? {} : { login: loginOf({ user, authorizedKeys }) }) });
}

/** By which the machine ends itself; known before there is one. */
function endCommand({ cloud, burst, providerId = "" }: Pick<Join, "cloud" | "burst" | "providerId">): string[] {
  if (cloud === "azure" && providerId === "") throw new Error("bug: a machine of Azure can't end itself without its id");
  // Of a machine these commands use no more than this.
  const stub = { name: "", pool: "", provider: cloud, providerId, host: "", port: 22, user: "", credential: { kind: "agent" as const } };
  return [...providerOf(cloud).endCommand({ ...stub, labels: {}, attributes: {}, ...(burst === undefined ? {} : { burst }) })];
}

function accessOf({ endpoint, caCert, adminToken }: Inputs) {
  if (endpoint === undefined || caCert === undefined || adminToken === undefined)
    throw new Error("bug: a machine that joins by itself needs its master");
  return { endpoint, caCert, adminToken };
}

/** A master that is silent says nothing of it. */
async function healthOf(state: Inputs & Partial<Outputs>): Promise<Outputs["health"]> {
  if (state.join === undefined) return "ok";
  try {
    return await withMaster(accessOf(state), async (client) => {
      const node = await ifFound(client.node(state.name));
      if (node !== undefined && ["ready", "suspect"].includes(node.state)) return "ok";
      const token = await ifFound(client.joinTokenState(state.name));
      return token === undefined || token.used ? "stale" : "ok";
    });
  } catch {
    return "ok";
  }
}
