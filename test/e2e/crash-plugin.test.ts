/** kill -9 of the plugin at every named point of the operator's side: the next run finishes or undoes what was begun. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { CrashPoint } from "../../agent/contract/crash-point.ts";
import { pluginPoints } from "../support/crash-suites.ts";
import { processesOf } from "../support/leftovers.ts";
import { type PluginDriver, startPlugin } from "../support/plugin-driver.ts";
import { makePluginEnvironment, type PluginEnvironment, type ResourceType, withPlugin } from "../support/plugin-environment.ts";

/** The resource whose making or deletion passes a point. */
const resourceOf = (point: CrashPoint): ResourceType => {
  const [station] = point.split(".");
  if (station === "machine") return "LocalMachine";
  // The bundle is brought by whatever comes to the machine first.
  if (station === "context" || point === "remote.upload") return "Master";
  if (station === "remote" || station === "node") return "Node";
  if (station === "burster" || point === "burst.policy") return "Burster";
  return "PoolGuard";
};
/** What must be there before the resource can be made. */
const before: Record<string, readonly ResourceType[]> = {
  LocalMachine: ["Authority"],
  Master: ["Authority", "LocalMachine"],
  Node: ["Authority", "LocalMachine", "Master"],
  Burster: ["Authority", "LocalMachine", "Master"],
  PoolGuard: ["Authority", "LocalMachine", "Master"],
};

/** Does everything in which no crash is wanted. */
let healthy: PluginDriver;
/** A machine with a master, shared by the cases that only add to it. */
let shared: PluginEnvironment;
let own: PluginEnvironment | undefined;

beforeAll(async () => {
  healthy = await startPlugin();
  shared = makePluginEnvironment();
  await shared.up(healthy, "Master");
});
afterEach(() => {
  own?.remove();
  own = undefined;
});
afterAll(async () => {
  await healthy.stop();
  shared.remove();
});

const moments = process.env.SPILLWAY_CRASH_FULL === "1" ? (["before", "after"] as const) : (["after"] as const);
const cases = pluginPoints.flatMap((point) => {
  const resource = resourceOf(point);
  return moments.map((moment) => ({ point, moment, resource }));
});

it.each(cases)("$point:$moment: a killed plugin is followed by one that ends clean", async ({ point, moment, resource }) => {
  const addsOnly = resource === "Node" || resource === "PoolGuard" || resource === "Burster";
  if (!addsOnly) own = makePluginEnvironment();
  const here = own ?? shared;
  for (const type of before[resource] ?? []) await here.make(healthy, type);
  const processesBefore = pidsOf(here);
  const filesBefore = filesOf(here);
  const marker = join(here.directory, "crashed");
  rmSync(marker, { force: true });
  const crashing = { SPILLWAY_CRASH_AT: `${point}:${moment}`, SPILLWAY_CRASH_MARKER: marker };

  // Made, with a crash where the point is passed on the way up, and then made again by a plugin that lives.
  const made = await withPlugin(crashing, (plugin) => here.make(plugin, resource));
  if (made !== undefined) expect(made).toMatch(/SIGKILL/);
  await here.make(healthy, resource);
  const recorded = here.recorded.get(resource);
  if (recorded === undefined) throw new Error("it was not recorded");
  const found = await healthy.read(resource, resource.toLowerCase(), recorded);
  if (found === undefined) throw new Error("it is not there");
  expect(await healthy.diff(resource, resource.toLowerCase(), found, here.inputsOf(resource))).toEqual({ changes: false, replaces: [] });

  // And deleted in the same way.
  if (!existsSync(marker)) expect(await withPlugin(crashing, (plugin) => here.down(plugin, resource))).toMatch(/SIGKILL/);
  await here.down(healthy, resource);
  expect(existsSync(marker), "the point was passed").toBe(true);
  expect(pidsOf(here)).toEqual(processesBefore);
  expect(filesOf(here)).toEqual(filesBefore);
});

function pidsOf(environment: PluginEnvironment): number[] {
  return processesOf(environment.directory)
    .map(({ pid }) => pid)
    .sort((a, b) => a - b);
}

/** Everything there but logs, the master's and the machines' own records, which change while they live. */
function filesOf(environment: PluginEnvironment): string[] {
  const changing = /(^|\/)(crashed|logs|.*\.log|.*\.db(-wal|-shm)?)$|^logs\//;
  return readdirSync(environment.directory, { recursive: true, encoding: "utf8" })
    .filter((name) => !changing.test(name))
    .sort();
}
