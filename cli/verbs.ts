/** The verbs of the command line. Only the module of the one that was typed is loaded. */
import type { Verb } from "./dispatch.ts";

export const verbs: readonly Verb[] = [
  { name: "init", summary: "write the settings of a new environment", load: async () => (await import("./commands/init.ts")).registerInit },
  { name: "up", summary: "make or mend an environment", load: async () => (await import("./commands/up.ts")).registerUp },
  { name: "preview", summary: "what `up` would change", load: async () => (await import("./commands/preview.ts")).registerPreview },
  {
    name: "upgrade",
    summary: "move an environment to this version, or back",
    load: async () => (await import("./commands/upgrade.ts")).registerUpgrade,
  },
  { name: "destroy", summary: "take an environment down", load: async () => (await import("./commands/destroy.ts")).registerDestroy },
  { name: "env", summary: "the shell variables for plain Pulumi", load: async () => (await import("./commands/env.ts")).registerEnv },
  { name: "pool", summary: "all nodes' resources as one view", load: async () => (await import("./commands/pool.ts")).registerPool },
  { name: "nodes", summary: "the nodes of the pool", load: async () => (await import("./commands/nodes.ts")).registerNodes },
  { name: "burst", summary: "machines bought for a while", load: async () => (await import("./commands/burst.ts")).registerBurst },
  { name: "cost", summary: "what bursts and nodes cost", load: async () => (await import("./commands/cost.ts")).registerCost },
  { name: "prices", summary: "what the clouds sell", load: async () => (await import("./commands/prices.ts")).registerPrices },
  {
    name: "run",
    summary: "run a command on the pool and follow its output",
    load: async () => (await import("./commands/run.ts")).registerRun,
  },
  { name: "jobs", summary: "list, show, cancel and submit jobs", load: async () => (await import("./commands/jobs.ts")).registerJobs },
  { name: "logs", summary: "the output of a job", load: async () => (await import("./commands/logs.ts")).registerLogs },
  { name: "events", summary: "what was decided, and why", load: async () => (await import("./commands/events.ts")).registerEvents },
  {
    name: "explain",
    summary: "why a job, node or burst is as it is",
    load: async () => (await import("./commands/explain.ts")).registerExplain,
  },
  {
    name: "fsck",
    summary: "what is there and should not be; mend it with --fix",
    load: async () => (await import("./commands/fsck.ts")).registerFsck,
  },
  {
    name: "doctor",
    summary: "what is wrong with this computer, or with one machine",
    load: async () => (await import("./commands/doctor.ts")).registerDoctor,
  },
  {
    name: "login",
    summary: "where the context is and how to use its token",
    load: async () => (await import("./commands/login.ts")).registerLogin,
  },
];
