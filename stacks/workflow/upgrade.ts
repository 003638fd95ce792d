/** What an upgrade of an environment, or the way back, would do; and how it is done: by the same run of the engine as `up`. */
import { readFileSync } from "node:fs";
import { LocalWorkspace } from "@pulumi/pulumi/automation/index.js";
import { z } from "zod";
import { type Client, createClient } from "../../agent/contract/client.ts";
import { context } from "../../agent/contract/context.ts";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { NodeView } from "../../agent/contract/node.ts";
import { bundlePlatformOf } from "../../bootstrap/bundle-platform-of.ts";
import { bundleAtHand } from "../plugin/bundle-at-hand.ts";
import { isUnreachable } from "../plugin/master-access.ts";
import { everyRole, nodeKey, type RolePlan, type Seen, upgradePlan } from "../plugin/rollout/roles.ts";
import { masterKey } from "../plugin/rollout/steps.ts";
import { readSettings } from "../settings-file.ts";
import { programDirectory, stateLayout } from "../state-layout.ts";
import { batchSize, type UpgradeStrategy } from "../upgrade-settings.ts";
import { type UpgradeWish, wishVariables } from "../upgrade-wish.ts";
import { mastersMachine, wantedMachines } from "../wanted-machines.ts";
import { type KnownMachine, machinesIn } from "./machines.ts";
import { type UpOptions, type UpResult, up } from "./up.ts";
import { explained, ownsBackend, pulumiVariables, stackExists } from "./workspace.ts";

export interface PlannedRole {
  /** `master`, or `node <name>`. */
  readonly name: string;
  /** Digest of the bundle that it runs; undefined for one that does not say. */
  readonly from: string | undefined;
  /** Of the program in it. */
  readonly fromVersion: string | undefined;
  /** Undefined on the way back where it is known only to the machine. */
  readonly to: string | undefined;
  readonly what: "moves" | "stays" | "left out";
  readonly why?: string;
}

export interface UpgradePlan {
  readonly roles: readonly PlannedRole[];
  readonly strategy: UpgradeStrategy & { readonly batchNodes: number };
  /** What is to be brought to machines at most. */
  readonly uploads: { readonly machines: number; readonly bytes: number };
  /** Digests that a revert has left. */
  readonly held: readonly string[];
  /** Why the master could not be asked: then this is what was recorded last, and the run mends the master first. */
  readonly masterProblem?: string;
}

const recorded = z.object({
  installed: z.record(z.string(), z.string()).default({}),
  before: z.record(z.string(), z.string()).default({}),
  held: z.array(z.string()).default([]),
});
const deployment = z.object({
  resources: z.array(z.object({ type: z.string(), outputs: z.unknown() })).default([]),
});

/** Changes nothing. Throws `no-such-environment` for one that has not come up, and what a master says that does not answer. */
export async function planUpgrade(environment: string, wish: UpgradeWish, onProgress: (text: string) => void): Promise<UpgradePlan> {
  const settings = readSettings(environment);
  onProgress("reading the state");
  const exported = await exportOf(environment);
  const known = new Map(machinesIn(exported).machines.map((one) => [one.machine.name, one]));
  const wanted = wantedMachines(settings);
  const carrier = known.get(mastersMachine(wanted, settings).name)?.machine;
  if (carrier === undefined) throw notUp(environment);
  const nodes = wanted.flatMap(({ name }) => known.get(name) ?? []);
  const record = recordIn(exported);

  onProgress("building the bundle");
  const platforms = [...new Set(nodes.map(({ machine }) => bundlePlatformOf(machine, machine.attributes.arch)))];
  const bundles = new Map(
    await Promise.all(platforms.map(async (platform) => [platform, await bundleAtHand(platform, { onProgress })] as const)),
  );
  const targets = Object.fromEntries([...bundles].map(([platform, { digest }]) => [platform, digest]));

  onProgress("asking the master what runs");
  const answer = await whatRuns(environment);
  const masterProblem = typeof answer === "string" ? answer : undefined;
  const { version, bundle, views } = typeof answer === "string" ? { version: undefined, bundle: undefined, views: [] } : answer;
  const all = { master: carrier, nodes, targets };
  const seen = masterProblem === undefined ? { masterBundle: bundle, nodes: views } : asRecorded(record.installed, nodes);
  const plans =
    wish === "revert" ? everyRole(all, seen).map((plan) => wayBack(plan, record.before)) : upgradePlan(all, seen, { ...record, held: [] });
  const moving = new Map(plans.filter(({ phase }) => phase === "due").map(({ machine }) => [machine.name, machine]));
  const bytes = [...moving.values()].map((one) => bundles.get(bundlePlatformOf(one, one.attributes.arch))?.bytes ?? 0);
  return {
    roles: plans.map((plan) => planned(plan, { wish, before: record.before, versionOf: versions(version, views) })),
    strategy: { ...settings.upgrade, batchNodes: batchSize(settings.upgrade.batch, nodes.length) },
    uploads: wish === "revert" ? { machines: 0, bytes: 0 } : { machines: bytes.length, bytes: bytes.reduce((sum, each) => sum + each, 0) },
    held: record.held,
    ...(masterProblem === undefined ? {} : { masterProblem }),
  };
}

/** Why it can't be told, as a text, where no master answers. */
async function whatRuns(environment: string): Promise<{ version: string; bundle: string | undefined; views: NodeView[] } | string> {
  try {
    return await asked(environment, async (client) => {
      const { version, bundle } = await client.health();
      return { version, bundle, views: await client.nodes() };
    });
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    return describeError(error).split("\n")[0] ?? "";
  }
}

function asRecorded(installed: Readonly<Record<string, string>>, nodes: readonly KnownMachine[]): Seen {
  const bundleOf = (key: string) => installed[key];
  return {
    masterBundle: bundleOf(masterKey),
    nodes: nodes.map(({ machine: { name } }) => ({ name, state: "ready", stateReason: "", bundle: bundleOf(nodeKey(name)) })),
  };
}

/** What is recorded may be behind what is on the machines, whose slots decide. */
function wayBack(plan: RolePlan, before: Readonly<Record<string, string>>): RolePlan {
  if (plan.phase === "skipped") return plan;
  const slot = before[plan.key];
  return slot === undefined ? plan : { ...plan, phase: "due", to: slot };
}

function planned(
  { key, from, to, phase, why }: RolePlan,
  {
    wish,
    before,
    versionOf,
  }: {
    readonly wish: UpgradeWish;
    readonly before: Readonly<Record<string, string>>;
    readonly versionOf: (key: string) => string | undefined;
  },
): PlannedRole {
  const what = phase === "skipped" ? "left out" : phase === "due" ? "moves" : "stays";
  const target = wish === "revert" ? before[key] : to;
  return { name: key, from, fromVersion: versionOf(key), to: target, what, ...(why === undefined ? {} : { why }) };
}

function versions(master: string | undefined, views: readonly NodeView[]): (key: string) => string | undefined {
  const known = new Map(views.map(({ name, agentVersion }) => [`node ${name}`, agentVersion]));
  return (key) => (key === masterKey ? master : known.get(key));
}

/** As `up`, with the wish. Throws as `up` does. */
export async function upgrade(environment: string, wish: UpgradeWish, options: UpOptions): Promise<UpResult> {
  const again = `./spillway upgrade ${environment}${wish === "revert" ? " --revert" : ""}`;
  return await up(environment, { again, ...options, variables: { ...options.variables, ...wishVariables(wish, environment) } });
}

/** What each role runs now, by the master's word: role → digest and version. */
export async function runningBundles(
  environment: string,
): Promise<{ name: string; bundle: string | undefined; version: string | undefined }[]> {
  return await asked(environment, async (client) => {
    const { bundle, version } = await client.health();
    const nodes = (await client.nodes()).map((node) => ({ name: `node ${node.name}`, bundle: node.bundle, version: node.agentVersion }));
    return [{ name: masterKey, bundle, version }, ...nodes];
  });
}

async function asked<T>(environment: string, ask: (client: Client) => Promise<T>): Promise<T> {
  const { url, ca, token } = contextOf(environment);
  const client = createClient({ url, ca, token, environment });
  try {
    return await ask(client);
  } finally {
    client.dispose();
  }
}

function contextOf(environment: string) {
  try {
    return context.parse(JSON.parse(readFileSync(stateLayout(environment).context, "utf8")));
  } catch (cause) {
    throw new SpillwayError("the way to its master is not known here", {
      code: "no-context",
      where: `environment ${environment}`,
      hint: `./spillway up ${environment} writes it.`,
      cause,
    });
  }
}

async function exportOf(environment: string): Promise<unknown> {
  if (ownsBackend(environment) && !stackExists(environment)) throw notUp(environment);
  const options = { envVars: pulumiVariables(environment) };
  const stack = await explained(environment, () =>
    LocalWorkspace.selectStack({ stackName: environment, workDir: programDirectory }, options),
  );
  return (await stack.exportStack()).deployment;
}

/** Stacks before version 0.4 have no such resource. */
function recordIn(exported: unknown): z.infer<typeof recorded> {
  const found = deployment.parse(exported ?? {}).resources.find(({ type }) => type === "spillway:index:Rollout");
  return recorded.parse(found?.outputs ?? {});
}

function notUp(environment: string): SpillwayError {
  return new SpillwayError(`the environment "${environment}" is not up, so there is nothing to upgrade`, {
    code: "no-such-environment",
    hint: `./spillway up ${environment} makes it, with this version.`,
  });
}
