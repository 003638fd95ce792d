/** Provider side of `Node`: the agent on one machine, joined to the pool. */
import { z } from "zod";
import { cloudName } from "../../../agent/contract/agent-config.ts";
import { withCrashPoint } from "../../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../../agent/contract/errors.ts";
import { machine } from "../../../agent/contract/machine.ts";
import { resources, systemReserve } from "../../../agent/contract/resources.ts";
import { installRole } from "../../../bootstrap/actions/install.ts";
import { agentFiles } from "../../../bootstrap/agent-files.ts";
import { identityFor } from "../../../bootstrap/machine-facts.ts";
import { shortPatienceMs } from "../../../bootstrap/ssh/reconnecting.ts";
import { tunnelEntry } from "../../../bootstrap/ssh/tunnel-line.ts";
import { providerOf } from "../../../providers/registry.ts";
import { awaitJoined } from "../await-joined.ts";
import { bundleAtHand } from "../bundle-at-hand.ts";
import { holdTunnel } from "../held-tunnels.ts";
import { leavePool } from "../leave-pool.ts";
import { isForgotten, masterAccess, waitFor, withMaster, withPatientMaster } from "../master-access.ts";
import { pinOf } from "../node-pin.ts";
import { refuseSilence, removeFromMachine } from "../remove-from-machine.ts";
import type { ResourceContext, ResourceHandler } from "../rpc.ts";
import { isSameMachine } from "../same-machine.ts";

const readyTimeoutMs = 60_000;

const inputs = masterAccess.extend({
  environment: z.string(),
  environmentId: z.string().optional().describe("missing in stacks of version 0.1"),
  machine,
  problem: z.string().optional().describe("why that machine is left out"),
  dials: z.string().optional().describe("the https origin by which its agent reaches the master; without it the endpoint"),
  reach: z.literal("reverse").optional().describe("its agent reaches the master by a tunnel to its machine"),
  reserve: resources.optional().describe("kept back for the master beside it"),
  system: systemReserve
    .optional()
    .describe("kept back for the host's own system; missing before version 0.4, and where capacity is declared"),
  deadManMs: z.number().int().positive().optional().describe("of a burst: welcomed by no master for so long, its machine ends itself"),
  bundle: z.string().optional().describe("in stacks before version 0.4; which bundle it runs is the rollout's"),
});
const outputs = z.object({
  /**
   * `broken`: as last read its agent is not connected, or the master does not know it.
   * `absent`: its machine can't be used and never carried it.
   */
  health: z.enum(["ok", "broken", "absent"]),
});
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const node: ResourceHandler<Inputs, Outputs> = {
  inputs,
  outputs,
  secrets: ["adminToken"],
  ignored: ["bundle"],
  needsMending: (state) => state.health === "broken",

  async create(spec, context) {
    if (spec.problem === undefined) await install(spec, context);
    return { id: spec.machine.name, outputs: { health: spec.problem === undefined ? "ok" : "absent" } };
  },

  async read(id, state) {
    if (state.health === "absent") return { health: "absent" };
    // A stopped machine runs no agent, whatever the master's timers still say.
    if ((await providerOf(state.machine.provider).status(state.machine)) !== "running") return { health: "broken" };
    try {
      const known = await withMaster(state, (client) => client.node(id));
      return { health: known.state === "ready" ? "ok" : "broken" };
    } catch {
      // A silent master says nothing of this node; whether the master itself needs mending is read on its own row.
      return { health: "broken" };
    }
  },

  async update(_id, old, spec, context) {
    const hasMoved = old.health !== "absent" && !isSameMachine(old.machine, spec.machine);
    if (spec.problem !== undefined) {
      // Recorded at its new place, its agent on the old one would be nobody's.
      if (hasMoved) throw cannotMove(old.machine, spec.problem);
      // Why it is left out is told on its machine's row; what it was it stays.
      return { health: old.health === "absent" ? "absent" : "broken" };
    }
    // The machine before is deleted whole, and nobody can log in to it.
    if (hasMoved && old.machine.join === undefined) await removeFromMachine(old, "agent", context);
    await install(spec, context);
    return { health: "ok" };
  },

  async delete(_id, state, context) {
    if (state.health === "absent") return;
    // What is bought is deleted as a whole in the next step; what was told to leave ends its tasks until then.
    const { isCloud } = providerOf(state.machine.provider);
    const goesWhole = isCloud || (state.machine.burst !== undefined && endCommandOf(state).length > 0);
    // Before the pool loses a node that would stay what it is.
    const power = goesWhole ? "running" : await refuseSilence(state, "agent");
    // The burster, which held it, goes first in a teardown. Without it the agent is not told to stop, and its machine goes all the same.
    if (state.reach === "reverse" && !isForgotten(state.environment))
      await holdTunnel({ ...state, patienceMs: shortPatienceMs }, context).catch(() => undefined);
    if (!isForgotten(state.environment)) await leavePool(state, power, context);
    if (!goesWhole) await removeFromMachine(state, "agent", context);
  },
};

/** By which its machine ends itself; empty for one that its owner keeps. */
function endCommandOf({ machine: target }: Inputs): readonly string[] {
  return providerOf(target.provider).endCommand(target);
}

function cannotMove({ name, host, port }: Inputs["machine"], problem: string): SpillwayError {
  return new SpillwayError(`its machine was to be another one, which can't be used: ${problem}`, {
    code: "node-move",
    where: `node ${name}`,
    hint: `It stays on ${host}:${port}. Mend the new machine, or write the old address again.`,
  });
}

async function install(spec: Inputs, context: ResourceContext): Promise<void> {
  const { name, pool, provider, providerId, labels, attributes, capacity, price, burst } = spec.machine;
  const declared = await withCrashPoint("node.declare", () =>
    withPatientMaster(spec, (client) =>
      client.declareNode(name, {
        pool,
        provider,
        providerId,
        labels,
        attributes,
        ...pinOf(spec.machine),
        ...(capacity === undefined ? {} : { capacity }),
        ...(spec.reserve === undefined ? {} : { reserve: spec.reserve }),
        ...(spec.system === undefined ? {} : { system: spec.system }),
        ...(price === undefined ? {} : { price }),
        ...(burst === undefined ? {} : { burst }),
      }),
    ),
  );
  if (spec.machine.join !== undefined) return await awaitJoined(spec, context);
  if (spec.reach === "reverse") await holdTunnel(spec, context);
  // What runs here reaches the master as people do; the machine may have a way of its own.
  const dials = spec.dials ?? spec.endpoint;
  const via = spec.reach === "reverse" ? { dialVia: tunnelEntry } : {};
  await installRole({
    machine: spec.machine,
    ...via,
    role: "agent",
    bundle: (platform, compression) => bundleAtHand(platform, { compression, onProgress: context.status }),
    identity: identityFor(spec.machine, { environmentId: spec.environmentId, environment: spec.environment }),
    // A local machine has this computer's own way to a master, which is on this computer too or has been dialled from here.
    dials: provider === "local" ? undefined : dials,
    files: (layout, facts) => {
      const cloud = cloudName.safeParse(provider).data;
      const deadMan = spec.deadManMs === undefined ? {} : { deadMan: { silenceMs: spec.deadManMs, end: [...endCommandOf(spec)] } };
      return agentFiles(
        { node: name, endpoint: dials, caCert: spec.caCert, ...via, ...(cloud === undefined ? {} : { cloud }), ...deadMan },
        layout,
        facts,
      );
    },
    joinToken: async ({ hasCertificate }) => {
      if (hasCertificate && declared.state !== "joining") return undefined;
      return (await withPatientMaster(spec, (client) => client.makeJoinToken(name))).token;
    },
    awaitReady: ({ bundle }) =>
      waitFor({
        what: `node ${name} is ready`,
        timeoutMs: readyTimeoutMs,
        signal: context.signal,
        probe: () =>
          withMaster(spec, async (client) => {
            const known = await client.node(name);
            return known.state === "ready" && known.bundle === bundle ? undefined : `it is ${known.state} (${known.stateReason})`;
          }),
      }),
    onProgress: context.status,
    onSentence: context.sentence,
    signal: context.signal,
  });
}
