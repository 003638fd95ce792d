/** kill -9 of the plugin at every named point of the operator's side: the next run finishes or undoes what was begun. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { type CrashPoint, crashPoints } from "../../agent/contract/crash-point.ts";
import { processesOf } from "../support/leftovers.ts";
import { makePluginEnvironment, type PluginEnvironment, type ResourceType, withPlugin } from "../support/plugin-environment.ts";

/** The resource whose making or deletion passes a point; points of the master and the agent are hit elsewhere. */
const resourceOf = (point: CrashPoint): ResourceType | undefined => {
  const [station] = point.split(".");
  if (station === "machine") return "LocalMachine";
  if (station === "context") return "Master";
  if (station === "remote" || station === "node") return "Node";
  if (station === "guard") return "PoolGuard";
  return undefined;
};

let environment: PluginEnvironment | undefined;
afterEach(() => {
  environment?.remove();
  environment = undefined;
});

const cases = crashPoints.flatMap((point) => {
  const resource = resourceOf(point);
  return resource === undefined ? [] : (["before", "after"] as const).map((moment) => ({ point, moment, resource }));
});

it.each(cases)("$point:$moment: a killed plugin is followed by one that ends clean", async ({ point, moment, resource }) => {
  environment = makePluginEnvironment();
  const here = environment;
  const marker = join(here.directory, "crashed");
  const crashing = { SPILLWAY_CRASH_AT: `${point}:${moment}`, SPILLWAY_CRASH_MARKER: marker };

  const madeFirst = await withPlugin(crashing, (plugin) => here.up(plugin, resource));
  if (madeFirst !== undefined) {
    expect(madeFirst).toMatch(/SIGKILL/);
    expect(await withPlugin({}, (plugin) => here.up(plugin, resource))).toBeUndefined();
  }
  // What is there now needs nothing more.
  await withPlugin({}, async (plugin) => {
    const found = here.recorded.get(resource);
    if (found === undefined) throw new Error("not recorded");
    const read = await plugin.read(resource, resource.toLowerCase(), found);
    expect(read).toBeDefined();
    if (read !== undefined) expect(await plugin.diff(resource, resource.toLowerCase(), read, here.inputsOf(resource))).toEqual({ changes: false, replaces: [] });
  });

  const tookFirst = await withPlugin(crashing, (plugin) => here.down(plugin));
  if (tookFirst !== undefined) {
    expect(tookFirst).toMatch(/SIGKILL/);
    expect(await withPlugin({}, (plugin) => here.down(plugin))).toBeUndefined();
  }
  expect(existsSync(marker), "the point was passed").toBe(true);
  expect(processesOf(here.directory)).toEqual([]);
  expect(readdirSync(here.directory).filter((name) => name !== "logs" && name !== "crashed")).toEqual([]);
});
