/** Provider side of `Master`: the master role on one machine, and the context file by which people reach it. */
import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { z } from "zod";
import { type MasterConfig, nodeTimers } from "../../../agent/contract/agent-config.ts";
import type { Context } from "../../../agent/contract/context.ts";
import { withCrashPoint } from "../../../agent/contract/crash-point.ts";
import { addressOf } from "../../../agent/contract/endpoint.ts";
import { SpillwayError } from "../../../agent/contract/errors.ts";
import type { InstallLayout } from "../../../agent/contract/install-layout.ts";
import { machine } from "../../../agent/contract/machine.ts";
import { installRole } from "../../../bootstrap/actions/install.ts";
import type { InstalledFile } from "../../../bootstrap/context.ts";
import { identityFor } from "../../../bootstrap/machine-facts.ts";
import { freePort } from "../../../providers/local/free-port.ts";
import { providerOf } from "../../../providers/registry.ts";
import { replaceFile } from "../../replace-file.ts";
import { bundleAtHand } from "../bundle-at-hand.ts";
import { waitFor, withMaster } from "../master-access.ts";
import { contextCounts, ownPlace } from "../own-place.ts";
import { removeFromMachine } from "../remove-from-machine.ts";
import type { ResourceContext, ResourceHandler } from "../rpc.ts";
import { isSameMachine } from "../same-machine.ts";

const readyTimeoutMs = 30_000;

const inputs = z.object({
  machine,
  problem: z.string().optional().describe("why that machine can't be used"),
  advertise: z.string().optional().describe("the https origin by which it is to be reached; without it a free loopback port"),
  alsoAt: z.array(z.string()).optional().describe("further https origins by which agents of its own network reach it"),
  environment: z.string(),
  environmentId: z.string(),
  caCert: z.string(),
  intermediateCert: z.string(),
  intermediateKey: z.string(),
  adminToken: z.string(),
  timers: nodeTimers,
  identityAuthorities: z.array(z.string()).optional().describe("PEM: who vouches for instances beside AWS and Azure"),
  contextFile: z.string().describe("where people's access is written, on the operator's machine"),
  bundle: z.string().optional().describe("in stacks before version 0.4; which bundle it runs is the rollout's"),
});
const outputs = z.object({
  endpoint: z.string(),
  /** Which master it is: its records live and die with its machine. */
  instance: z.string(),
  /** `broken`: as last read it did not answer as this environment's master, or the context file is not as it should be. */
  health: z.enum(["ok", "broken"]),
});
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const master: ResourceHandler<Inputs, Outputs> = {
  inputs,
  outputs,
  secrets: ["intermediateKey", "adminToken"],
  replaceOn: ["environmentId"],
  ignored: ["bundle", "contextFile"],
  needsMending: (state) => state.health !== "ok",

  async create(spec, context) {
    return { id: `master-${spec.environmentId}`, outputs: await install(spec, await placeOf(spec, undefined), context) };
  },

  async read(_id, state) {
    const health = (await answers(state, state.endpoint)) && holdsContext(state, state.endpoint) ? "ok" : "broken";
    return { endpoint: state.endpoint, instance: state.instance, health };
  },

  async update(_id, old, spec, context) {
    await refuseToMove(old, spec);
    return await install(spec, await placeOf(spec, old.endpoint), context);
  },

  async delete(_id, state, context) {
    await withCrashPoint("context.delete", () => rmSync(ownPlace(state.contextFile, state.environment), { force: true }));
    await removeFromMachine(state, "master", context);
  },
};

/** Its records are on its machine: on another one it would begin with nothing, and say so to nobody. */
async function refuseToMove(old: Inputs, spec: Inputs): Promise<void> {
  if (isSameMachine(old.machine, spec.machine)) return;
  if ((await providerOf(old.machine.provider).status(old.machine)) === "gone") return;
  throw new SpillwayError(`moving the master from ${old.machine.name} to ${spec.machine.name} is not available in this version`, {
    code: "master-move",
    where: `environment ${spec.environment}`,
    hint: "The first machine of masters.pool carries it: keep that pool, its name and its first host as they were, or destroy the environment and bring it up anew.",
  });
}

interface Place {
  readonly endpoint: string;
  readonly listen: { readonly host: string; readonly port: number };
}

/** Where the master listens: as the settings say on a host; on this computer on a free port, which it then keeps. */
async function placeOf({ machine: { host }, advertise }: Inputs, oldEndpoint: string | undefined): Promise<Place> {
  if (advertise === undefined) {
    const port = oldEndpoint === undefined ? await freePort() : Number(new URL(oldEndpoint).port);
    return { endpoint: `https://${host}:${port}`, listen: { host, port } };
  }
  const { host: address, port } = addressOf(advertise);
  const everywhere = address.includes(":") ? "::" : "0.0.0.0";
  return { endpoint: advertise, listen: { host: everywhere, port } };
}

async function install(spec: Inputs, { endpoint, listen }: Place, context: ResourceContext): Promise<Outputs> {
  if (spec.problem !== undefined) {
    throw new SpillwayError(`the master's machine can't be used: ${spec.problem}`, {
      code: "master-machine-failed",
      where: `machine ${spec.machine.name}`,
      hint: "Mend that, or choose another pool for the master before the environment is made.",
    });
  }
  await installRole({
    machine: spec.machine,
    role: "master",
    bundle: (platform, compression) => bundleAtHand(platform, { compression, onProgress: context.status }),
    files: (layout) => filesOf(spec, layout, endpoint, listen),
    identity: identityFor(spec.machine, spec),
    listenPort: listen.port,
    awaitReady: () =>
      waitFor({
        what: "the master answers",
        timeoutMs: readyTimeoutMs,
        signal: context.signal,
        probe: async () => ((await answers(spec, endpoint)) ? undefined : `no answer at ${endpoint}`),
      }),
    onProgress: context.status,
    onSentence: context.sentence,
    signal: context.signal,
  });
  await withCrashPoint("context.write", () =>
    replaceFile(spec.contextFile, contextText(spec, endpoint), { file: 0o600, directory: 0o700 }),
  );
  return { endpoint, instance: spec.machine.providerId, health: "ok" };
}

function filesOf(spec: Inputs, layout: InstallLayout, endpoint: string, listen: Place["listen"]): InstalledFile[] {
  const { intermediateCertFile, intermediateKeyFile } = layout;
  const config: MasterConfig = {
    environment: { id: spec.environmentId, name: spec.environment },
    listen,
    endpoint,
    ...(spec.alsoAt === undefined ? {} : { alsoAt: spec.alsoAt }),
    stateDir: layout.state("master"),
    caFile: layout.caFile,
    intermediateCertFile,
    intermediateKeyFile,
    adminTokenSha256: createHash("sha256").update(spec.adminToken).digest("hex"),
    timers: spec.timers,
    ...(spec.identityAuthorities === undefined ? {} : { identityAuthorities: spec.identityAuthorities }),
  };
  return [
    { path: layout.caFile, content: spec.caCert, mode: "644" },
    // The master looks at these two every few seconds. The key first: without its certificate it changes nothing.
    { path: intermediateKeyFile, content: spec.intermediateKey, mode: "600", live: true },
    { path: intermediateCertFile, content: spec.intermediateCert, mode: "644", live: true },
    { path: layout.config("master"), content: `${JSON.stringify(config, null, 2)}\n`, mode: "600" },
  ];
}

/** Whether the master of this very environment answers there and takes our token. */
async function answers(spec: Pick<Inputs, "caCert" | "adminToken" | "environmentId">, endpoint: string): Promise<boolean> {
  try {
    return await withMaster({ endpoint, caCert: spec.caCert, adminToken: spec.adminToken }, async (client) => {
      const pool = await client.pool();
      return pool.environmentId === spec.environmentId;
    });
  } catch {
    return false;
  }
}

function contextText(spec: Inputs, endpoint: string): string {
  const context: Context = {
    environment: spec.environment,
    environmentId: spec.environmentId,
    url: endpoint,
    ca: spec.caCert,
    token: spec.adminToken,
  };
  return `${JSON.stringify(context, null, 2)}\n`;
}

function holdsContext(spec: Inputs, endpoint: string): boolean {
  if (!contextCounts()) return true;
  try {
    return readFileSync(ownPlace(spec.contextFile, spec.environment), "utf8") === contextText(spec, endpoint);
  } catch {
    return false;
  }
}
