/**
 * Whether this bundle can run a role here, asked before the role is started from it: its configuration was read, its
 * certificate is good, its files can be written and read, and what runs its tasks answers. Nothing is left behind.
 */
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { AgentConfig, MasterConfig } from "../contract/agent-config.ts";
import { describeError, SpillwayError } from "../contract/errors.ts";
import { askSystemd } from "./executor/systemctl.ts";
import { identityProblem, readIdentity } from "./identity.ts";

/** Throws `self-test-failed` with what is wrong. `taskSupervisor`: the script of this very bundle. */
export async function checkAgent(config: AgentConfig, { taskSupervisor }: { readonly taskSupervisor: string }): Promise<void> {
  const { node, stateDir, executor } = config;
  await step(node, "its CA and certificate", async () => {
    const ca = await readFile(config.caFile, "utf8");
    const identity = readIdentity(stateDir);
    if (identity === undefined) throw new Error("it has none");
    const problem = identityProblem({ ...identity, node, ca, now: Date.now() });
    if (problem !== undefined) throw new Error(problem);
  });
  await step(node, "its state directory", () => writesAndReads(stateDir));
  await step(node, "what runs its tasks", async () => {
    if (executor === "systemd") await askSystemd("systemctl", ["show", "--property=Version"]);
    // Only read: the shell says whether it understands the script.
    else await promisify(execFile)("sh", ["-n", taskSupervisor]);
  });
}

/** Throws `self-test-failed` with what is wrong. */
export async function checkMaster(config: MasterConfig): Promise<void> {
  await step("master", "its certificates", async () => {
    for (const file of [config.caFile, config.intermediateCertFile, config.intermediateKeyFile]) await readFile(file);
  });
  await step("master", "its state directory", () => writesAndReads(config.stateDir));
}

async function step(where: string, what: string, look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch (cause) {
    throw new SpillwayError(`${what} can't be used: ${describeError(cause)}`, { code: "self-test-failed", where, cause });
  }
}

async function writesAndReads(directory: string): Promise<void> {
  const file = join(directory, `check-${process.pid}`);
  try {
    await writeFile(file, "written\n", { mode: 0o600 });
    if ((await readFile(file, "utf8")) !== "written\n") throw new Error(`${file} does not hold what was written`);
  } finally {
    await rm(file, { force: true });
  }
}
