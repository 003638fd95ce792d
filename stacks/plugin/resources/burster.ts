/** Provider side of `Burster`: the process that buys and returns machines, and the policy it is bound by. */
import { randomBytes } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { withCrashPoint } from "../../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../../agent/contract/errors.ts";
import { machine } from "../../../agent/contract/machine.ts";
import { burstPolicy } from "../../../agent/contract/policy.ts";
import { productVersion } from "../../../agent/contract/version.ts";
import { type BursterConfig, bursterConfig, burstLayout } from "../../burst/config.ts";
import { hasSameTunnels, isSameButTunnels } from "../../burst/same-config.ts";
import { knownStacks } from "../../burst/stack.ts";
import { isBursterRunning, startBurster, stopBurster, variablesToKeep } from "../../burst/unit.ts";
import { burstPool, sweepTimes } from "../../burst-settings.ts";
import { replaceFile } from "../../replace-file.ts";
import { refuseUnaccountedBursts, waitForBursts } from "../end-of-bursts.ts";
import { releaseTunnels } from "../held-tunnels.ts";
import { isForgotten, isUnreachable, masterAccess, waitFor, withMaster, withPatientMaster } from "../master-access.ts";
import type { ResourceContext, ResourceHandler } from "../rpc.ts";

const heardTimeoutMs = 20_000;

const inputs = masterAccess.extend({
  environment: z.string(),
  environmentId: z.string(),
  policy: burstPolicy.optional().describe("none: nothing is bought, it holds tunnels alone"),
  pools: z.record(z.string(), burstPool),
  sweep: sweepTimes,
  nearby: bursterConfig.shape.nearby,
  reach: z.literal("reverse").optional().describe("machines of clouds reach the master by tunnels that it holds to them"),
  tunnels: z.array(machine).optional().describe("of node pools, those that it holds tunnels to"),
  machines: z.string().describe("directory of the environment's local machines"),
  directory: z.string().describe("the burster's own"),
  logs: z.string(),
  version: z.string().describe("of Spillway; filled in by the plugin"),
});
const outputs = z.object({
  /** `broken`: as last read it did not run, ran by something else, or the master had another policy. */
  health: z.enum(["ok", "broken"]),
});
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const burster: ResourceHandler<Inputs, Outputs> = {
  inputs,
  outputs,
  secrets: ["adminToken"],
  replaceOn: ["environmentId", "directory"],
  complete: async () => ({ version: productVersion }),
  needsMending: (state) => state.health !== "ok",

  async create(spec, context) {
    return { id: `burster-${spec.environmentId}`, outputs: await install(spec, context) };
  },

  async read(_id, state) {
    return { health: (await isAsItShouldBe(state)) ? "ok" : "broken" };
  },

  async update(_id, old, spec, context) {
    // While the former one still runs, which is to end them.
    if (spec.policy === undefined && old.policy !== undefined) await endBursts(old, context);
    return await install(spec, context);
  },

  async delete(_id, state, context) {
    await endBursts(state, context);
    const left = isForgotten(state.environment) ? [] : knownStacks(state).map(({ burst }) => burst);
    if (left.length > 0) {
      throw new SpillwayError(`bursts are still there: ${left.join(", ")}`, {
        code: "bursts-left",
        where: `environment ${state.environment}`,
        hint: `See: ./spillway fsck --fix ${state.environment}`,
      });
    }
    // A machine that no stack knows would have nobody to look for it any more.
    if (!isForgotten(state.environment))
      await refuseUnaccountedBursts({ ...state, burstDirectory: state.directory }, "the burster is to go");
    context.status("stopping");
    await stopBurster(state.directory);
    await withCrashPoint("burster.forget", () => rmSync(state.directory, { recursive: true, force: true }));
  },
};

async function install(spec: Inputs, context: ResourceContext): Promise<Outputs> {
  const { config, passphrase } = burstLayout(spec.directory);
  const { policy } = spec;
  if (policy !== undefined) await withCrashPoint("burst.policy", () => withPatientMaster(spec, (client) => client.setBurstPolicy(policy)));
  const wanted = configOf(spec);
  const text = `${JSON.stringify(wanted, null, 2)}\n`;
  const mode = { file: 0o600, directory: 0o700 };
  if (!isBursterRunning(spec.directory) || !isSameButTunnels(config, wanted)) {
    context.status("starting");
    await stopBurster(spec.directory);
    await withCrashPoint("burster.config", () => {
      if (!existsSync(passphrase)) replaceFile(passphrase, `${randomBytes(24).toString("base64url")}\n`, mode);
      replaceFile(config, text, mode);
    });
    await startBurster(wanted);
    context.sentence(`started the burster of ${spec.environment}`);
  } else if (!hasSameTunnels(config, wanted)) {
    // It reads them anew while it runs: for them alone no agent loses its master.
    await withCrashPoint("burster.config", () => replaceFile(config, text, mode));
    context.sentence(`told the burster of ${spec.environment} which machines it holds tunnels to`);
  }
  await waitFor({
    what: "the burster is heard by the master",
    timeoutMs: heardTimeoutMs,
    signal: context.signal,
    probe: () =>
      withMaster(spec, async (client) => {
        const { burster: heard } = await client.bursts();
        return heard?.holder === wanted.holder && !heard.silent ? undefined : `its log: ${spec.logs}/burster.log`;
      }),
  });
  // It takes them over.
  releaseTunnels();
  return { health: "ok" };
}

/** The same names mean the same in both; what the process has no use for is left out by the schema. */
function configOf(spec: Inputs): BursterConfig {
  const holder = `${hostname()}:${spec.directory}`;
  return bursterConfig.parse({ ...spec, holder, expireAfterMs: spec.policy?.expireAfterMs, variables: variablesToKeep() });
}

async function isAsItShouldBe(state: Inputs): Promise<boolean> {
  const { config } = burstLayout(state.directory);
  const wanted = configOf(state);
  if (!isBursterRunning(state.directory) || !isSameButTunnels(config, wanted) || !hasSameTunnels(config, wanted)) return false;
  try {
    return await withMaster(state, async (client) => {
      const { policy, burster: heard } = await client.bursts();
      return isDeepStrictEqual(policy, state.policy) && heard !== undefined && !heard.silent;
    });
  } catch {
    // Whether the master itself needs mending is read on its own row.
    return false;
  }
}

/** Without a policy the master lets every burst end. One that is gone knows of none; what is left then is found by its stack. */
async function endBursts(state: Inputs, context: ResourceContext): Promise<void> {
  if (isForgotten(state.environment)) return;
  try {
    await withCrashPoint("burst.policy", () => withPatientMaster(state, (client) => client.removeBurstPolicy()));
    const { environment, directory, policy } = state;
    const guarded = { environment, burstDirectory: directory, drainMs: policy?.retire.drainDeadlineMs ?? 0 };
    await withMaster(state, (client) => waitForBursts(client, guarded, context));
  } catch (error) {
    if (!isUnreachable(error)) throw error;
  }
}
