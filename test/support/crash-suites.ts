/** Which suite kills its process at which crash point: together they hold every name. */
import { type CrashPoint, crashPoints } from "../../agent/contract/crash-point.ts";

/** Passed by the burster itself, or by the plugin of a burst's own engine, in the circle of a burst. */
export const circlePoints: readonly CrashPoint[] = [
  "burst.launch",
  "machine.directory",
  "machine.start",
  "node.declare",
  "remote.upload",
  "remote.install",
  "remote.join",
  "remote.start",
  "burst.apply",
  "burst.launched",
  "burst.destroy",
  "node.forget",
  "machine.stop",
  "machine.delete",
  "burst.remove-stack",
  "burst.gone",
];

/** Passed where something is ended that nobody accounts for. */
export const sweepPoints: readonly CrashPoint[] = ["burst.sweep"];

/** Passed by master and agent in a pool without bursts. */
export const poolPoints: readonly CrashPoint[] = crashPoints.filter(
  (point) => /^(store|task)\./.test(point) && point !== "store.commit.burst",
);

/** Passed by the master while it keeps the ledger of bursts. */
export const ledgerPoints: readonly CrashPoint[] = ["store.commit.burst"];

/** Passed by an agent that no master welcomes. */
export const silencePoints: readonly CrashPoint[] = ["dead-man.end"];

/** Passed where machines are a cloud's: by the plugin that makes them nodes, and by whoever ends what nobody has recorded. */
export const cloudPoints: readonly CrashPoint[] = crashPoints.filter(
  (point) => point.startsWith("cloud.") || point === "remote.host-key" || point === "remote.retire-seed",
);

/** Passed by the plugin while an environment is made and taken down. */
export const pluginPoints: readonly CrashPoint[] = crashPoints.filter(
  (point) => (/^(machine|remote|context|guard|node|burster)\./.test(point) && !cloudPoints.includes(point)) || point === "burst.policy",
);

/** Passed by the plugin while roles move from bundle to bundle. */
export const rolloutPoints: readonly CrashPoint[] = crashPoints.filter((point) => point.startsWith("rollout."));

/** Those that the making and taking down of an environment without bursts passes. */
export const plainPoints: readonly CrashPoint[] = crashPoints.filter(
  (point) => !/^(burst|burster|dead-man|rollout)\.|^store\.commit\.burst$/.test(point) && !cloudPoints.includes(point),
);
