/** One machine, a master, a node and a guard, applied by the plugin alone: a small engine that records only what succeeded. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processesOf } from "./leftovers.ts";
import { type PluginDriver, type Recorded, startPlugin } from "./plugin-driver.ts";

const order = ["Authority", "LocalMachine", "Master", "Node", "Rollout", "Burster", "PoolGuard"] as const;
export type ResourceType = (typeof order)[number];

export interface PluginEnvironment {
  readonly directory: string;
  /** Makes every resource up to and with `last` that is not recorded yet, each as the engine would. */
  up(plugin: PluginDriver, last?: ResourceType): Promise<void>;
  /** Makes one resource if it is not recorded. */
  make(plugin: PluginDriver, type: ResourceType): Promise<void>;
  /** Deletes, last made first, down to and with `first`. */
  down(plugin: PluginDriver, first?: ResourceType): Promise<void>;
  readonly recorded: ReadonlyMap<ResourceType, Recorded>;
  /** The inputs as the program would give them now. */
  inputsOf(type: ResourceType): Record<string, unknown>;
  remove(): void;
}

/** As the settings would give it, for a pool from which nothing is ever bought. */
const bursting = {
  policy: {
    rules: [{ pendingForMs: 600_000, priorityAtLeast: 0, use: "cheapest", maxParallel: 1, perBurst: 1 }],
    maxNodes: 1,
    budget: { perHour: 1, zone: "UTC" },
    retire: { idleForMs: 1000, minimumLifeMs: 1000, drainDeadlineMs: 1000 },
    retryAfterMs: 1000,
    expireAfterMs: 600_000,
  },
  pools: {
    overflow: {
      provider: "local",
      cpu: 1000,
      memory: 1024,
      disk: 0,
      labels: {},
      node: "link",
      price: { hourly: 0.1 },
      maxNodes: 1,
      launchTimeoutMs: 30_000,
    },
  },
  sweep: { everyMs: 60_000, unknownAfterMs: 90_000 },
} as const;

export function makePluginEnvironment(): PluginEnvironment {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "spillway-plugin-")));
  const machines = join(directory, "machines");
  const recorded = new Map<ResourceType, Recorded>();
  const state = (type: ResourceType): Record<string, unknown> => {
    const found = recorded.get(type);
    if (found === undefined) throw new Error(`${type} is not made yet`);
    return found.state;
  };
  const inputsOf = (type: ResourceType): Record<string, unknown> => {
    if (type === "Authority") return { environment: "test", machines, contextFile: join(directory, "context.json") };
    const { environmentId, caCert, intermediateCert, intermediateKey, adminToken } = state("Authority");
    if (type === "LocalMachine") {
      const capacity = { cpu: 2000, memory: 4096, disk: 1024, gpus: [] };
      return { environmentId, name: "m-1", pool: "m", directory: join(machines, "m-1"), capacity, labels: {}, node: "link" };
    }
    const { machine } = state("LocalMachine");
    if (type === "Master") {
      const contextFile = join(directory, "context.json");
      const timers = { heartbeatIntervalMs: 200, suspectAfterMs: 2000, disconnectedAfterMs: 3000, lostAfterMs: 6000 };
      return { machine, environment: "test", environmentId, caCert, intermediateCert, intermediateKey, adminToken, timers, contextFile };
    }
    const { endpoint, instance } = state("Master");
    const access = { environment: "test", endpoint, masterInstance: instance, caCert, adminToken };
    if (type === "Node") return { ...access, machine };
    if (type === "Rollout") {
      const strategy = { canary: 1, batch: "25%", healthTimeoutMs: 15_000, autoRevert: true };
      return { ...access, environmentId, master: machine, nodes: [{ machine }], strategy };
    }
    if (type === "Burster")
      return { ...access, environmentId, ...bursting, machines, directory: join(directory, "bursts"), logs: join(directory, "logs") };
    const reserve = { cpu: 0, memory: 0, disk: 0, gpus: [] };
    return { ...access, machines: [machine], reserve, logDirectory: join(directory, "logs") };
  };
  const make = async (plugin: PluginDriver, type: ResourceType) => {
    if (!recorded.has(type)) recorded.set(type, await plugin.create(type, type.toLowerCase(), inputsOf(type)));
  };
  return {
    directory,
    recorded,
    inputsOf,
    make,
    async up(plugin, last = "PoolGuard") {
      for (const type of order.slice(0, order.indexOf(last) + 1)) await make(plugin, type);
    },
    async down(plugin, first = "Authority") {
      for (const type of order.slice(order.indexOf(first)).reverse()) {
        const found = recorded.get(type);
        if (found === undefined) continue;
        await plugin.delete(type, type.toLowerCase(), found);
        recorded.delete(type);
      }
    },
    remove() {
      for (const { pid } of processesOf(directory)) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It ended by itself.
        }
      }
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Runs `act` with a plugin of its own; resolves to the error's text when it failed, for instance since the plugin died. */
export async function withPlugin(env: Record<string, string>, act: (plugin: PluginDriver) => Promise<void>): Promise<string | undefined> {
  const plugin = await startPlugin(env);
  try {
    await act(plugin);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await plugin.stop();
  }
}
