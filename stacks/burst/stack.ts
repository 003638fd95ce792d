/**
 * The Pulumi stack of one burst: made, destroyed and removed by the Automation API, in a backend of the bursts' own. Which
 * stacks there are is read off the backend's files, so that asking starts no engine and takes no lock.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EngineEvent, LocalWorkspace, PulumiCommand, type PulumiFn, Stack } from "@pulumi/pulumi/automation/index.js";
import { z } from "zod";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, machine } from "../../agent/contract/machine.ts";
import { fileBackendUrl } from "../file-backend.ts";
import { type LockHolder, lockHolder } from "../workflow/dead-locks.ts";
import { type BursterConfig, burstLayout } from "./config.ts";
import { signalled } from "./signalled.ts";

const projectName = "spillway-bursts";
/** An engine that was told to end finishes the resource it is at; one that takes longer than this hangs. */
const engineGraceMs = 30_000;
/** So long an engine may go on whose burster died; without anyone who hears it, it may also wait for ever. */
const orphanGraceMs = 10_000;
/** Names, in an engine's environment, the process it was started by. */
const ownerVariable = "SPILLWAY_ENGINE_OF";
/** How many machines of a burst are made at a time. */
const parallel = 32;

export interface EngineRun {
  readonly onEvent?: (event: EngineEvent) => void;
  /** Aborted: the engine finishes what is under way and ends. */
  readonly signal?: AbortSignal;
}

/** What is on record for a burst in the backend. */
export interface KnownStack {
  readonly burst: string;
  readonly machines: readonly Machine[];
  /** Ids of all that it holds, also of machines that a cloud has made and nobody has reached yet. */
  readonly ids: ReadonlySet<string>;
  /** Whether an agent was, or may have been, put on one of them. */
  readonly hasNodes: boolean;
}

/** Finds the Pulumi CLI, which takes a moment, before the first burst needs it. */
export async function findPulumi(): Promise<PulumiCommand> {
  // Asked once: each question for the CLI's version starts it.
  command ??= PulumiCommand.get();
  return await command;
}

/** Makes what every burst's stack needs. Safe to repeat. */
export function prepareBackend({ directory }: Pick<BursterConfig, "directory">): void {
  const layout = burstLayout(directory);
  mkdirSync(layout.backend, { recursive: true, mode: 0o700 });
  mkdirSync(layout.project, { recursive: true, mode: 0o700 });
  // JSON is YAML.
  const project = {
    name: projectName,
    runtime: "nodejs",
    plugins: { providers: [{ name: "spillway", path: join(import.meta.dirname, "..", "plugin") }] },
  };
  const file = join(layout.project, "Pulumi.yaml");
  const text = `${JSON.stringify(project, null, 2)}\n`;
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}

/** Applies the program; safe to repeat after a crash. Rejects with what the engine said. */
export async function applyBurst(config: BursterConfig, burst: string, program: PulumiFn, run: EngineRun): Promise<void> {
  const isKnown = stackExists(config, burst);
  const stack = await openStack(config, burst, program);
  await bounded(config, burst, run, () =>
    // What a former run left under way is only found by looking.
    stack.up({ parallel, refresh: isKnown, color: "never", suppressProgress: true, ...run }),
  );
}

/**
 * Destroys what the stack knows. Nothing happens when there is none, or one that a power cut left unreadable: no engine
 * could ever open that again, and what the burst has is found by its providers' tags.
 */
export async function destroyBurst(config: BursterConfig, burst: string, run: EngineRun): Promise<void> {
  if (!stackExists(config, burst) || isUnreadable(config, burst)) return;
  const stack = await openStack(config, burst, async () => ({}));
  await bounded(config, burst, run, () => stack.destroy({ parallel, color: "never", suppressProgress: true, ...run }));
}

/** The Automation API starts the engine even when it is too late for that, and waits for one that hangs. */
async function bounded(config: BursterConfig, burst: string, { signal }: EngineRun, act: () => Promise<unknown>): Promise<void> {
  signal?.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  const whenAborted = () => {
    timer = setTimeout(() => killEngine(config, burst), engineGraceMs);
  };
  signal?.addEventListener("abort", whenAborted, { once: true });
  try {
    await act();
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", whenAborted);
  }
}

function killEngine(config: BursterConfig, burst: string): void {
  const holder = engineAtWork(config, burst);
  if (holder !== undefined) signalled(holder.pid, "SIGKILL");
}

/** When each engine without a living owner was seen first. */
const orphans = new Map<number, number>();

/** Ends an engine whose owner is dead, once it had time to finish what it was at. */
function endOrphan(pid: number): void {
  const owner = ownerOf(pid);
  if (owner === undefined || signalled(owner, 0)) return;
  const since = orphans.get(pid) ?? Date.now();
  orphans.set(pid, since);
  if (Date.now() - since < orphanGraceMs) return;
  orphans.delete(pid);
  signalled(pid, "SIGKILL");
}

/** Undefined where that can't be told: there is no /proc, or it is no engine of a burst. */
function ownerOf(pid: number): number | undefined {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
    const owner = variables.find((line) => line.startsWith(`${ownerVariable}=`))?.slice(ownerVariable.length + 1);
    return owner === undefined ? undefined : Number(owner);
  } catch {
    return undefined;
  }
}

/** Takes a stack that holds nothing any more out of the backend, with the copy and the locks' directory that Pulumi would leave. */
export async function removeBurstStack(config: BursterConfig, burst: string): Promise<void> {
  if (stackExists(config, burst) && !isUnreadable(config, burst)) {
    const workspace = await openWorkspace(config);
    await workspace.removeStack(stackName(burst));
  }
  const file = stackFile(config, burst);
  for (const left of [`${file}.bak`, locksDirectory(config, burst), file]) rmSync(left, { recursive: true, force: true });
}

/** The engine that is at work on this burst right now; a lock of a dead one is taken off. */
export function engineAtWork(config: Pick<BursterConfig, "directory">, burst: string): LockHolder | undefined {
  return lockHolder(locksDirectory(config, burst), { isOwn: true });
}

export function stackExists(config: Pick<BursterConfig, "directory">, burst: string): boolean {
  return existsSync(stackFile(config, burst));
}

/** The backend replaces its files by rename without asking for them to be on the disk. */
function isUnreadable(config: Pick<BursterConfig, "directory">, burst: string): boolean {
  try {
    JSON.parse(readFileSync(stackFile(config, burst), "utf8"));
    return false;
  } catch (error) {
    return error instanceof SyntaxError;
  }
}

/** Our resources that yield a machine. */
const machineTypes = ["LocalMachine", "SshMachine", "CloudHost"].map((type) => `spillway:index:${type}`);

const resource = z.object({ type: z.string(), id: z.string().optional(), outputs: z.record(z.string(), z.unknown()).default({}) });
const checkpoint = z.object({
  checkpoint: z.object({
    latest: z.object({ resources: z.array(resource).default([]), pending_operations: z.array(z.object({ resource })).nullish() }).nullish(),
  }),
});

/** Every burst's stack in the backend with the machines it holds. */
export function knownStacks(config: Pick<BursterConfig, "directory">): KnownStack[] {
  const directory = stacksDirectory(config);
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((file) => {
    const burst = /^burst-(.+)\.json$/.exec(file)?.[1];
    return burst === undefined ? [] : [{ burst, ...readState(join(directory, file)) }];
  });
}

function readState(file: string): Omit<KnownStack, "burst"> {
  try {
    const { latest } = checkpoint.parse(JSON.parse(readFileSync(file, "utf8"))).checkpoint;
    const resources = latest?.resources ?? [];
    const machines = resources.flatMap(({ type, outputs }) => {
      const parsed = machineTypes.includes(type) ? machine.safeParse(outputs.machine) : undefined;
      return parsed?.success === true ? [parsed.data] : [];
    });
    const begun = [...resources, ...(latest?.pending_operations ?? []).map((operation) => operation.resource)];
    return {
      machines,
      ids: new Set(resources.flatMap(({ id }) => id ?? [])),
      hasNodes: begun.some(({ type }) => type === "spillway:index:Node"),
    };
  } catch {
    // Written just now, or removed; who asks again sees what it has become.
    return { machines: [], ids: new Set(), hasNodes: true };
  }
}

function stackFile(config: Pick<BursterConfig, "directory">, burst: string): string {
  return join(stacksDirectory(config), `${stackName(burst)}.json`);
}

function stacksDirectory({ directory }: Pick<BursterConfig, "directory">): string {
  return join(burstLayout(directory).backend, ".pulumi", "stacks", projectName);
}

function locksDirectory({ directory }: Pick<BursterConfig, "directory">, burst: string): string {
  return join(burstLayout(directory).backend, ".pulumi", "locks", "organization", projectName, stackName(burst));
}

function stackName(burst: string): string {
  return `burst-${burst}`;
}

let command: Promise<PulumiCommand> | undefined;

async function openWorkspace(config: BursterConfig, program?: PulumiFn): Promise<LocalWorkspace> {
  const layout = burstLayout(config.directory);
  prepareBackend(config);
  return await LocalWorkspace.create({
    pulumiCommand: await findPulumi(),
    workDir: layout.project,
    ...(program === undefined ? {} : { program }),
    envVars: {
      PULUMI_SKIP_UPDATE_CHECK: "1",
      PULUMI_BACKEND_URL: fileBackendUrl(layout.backend),
      // Given as such, since one that the caller has in its environment would go before a file.
      PULUMI_CONFIG_PASSPHRASE: readFileSync(layout.passphrase, "utf8").trim(),
      // A burst's stack lives for minutes: its copies would outlive it.
      PULUMI_DISABLE_CHECKPOINT_BACKUPS: "true",
      [ownerVariable]: String(process.pid),
      SPILLWAY_LOGS: config.logs,
    },
  });
}

/** Throws `burst-busy` when an engine is at work on it; one whose burster is dead is ended after a while. */
export function refuseBusy(config: BursterConfig, burst: string): void {
  const busy = engineAtWork(config, burst);
  if (busy === undefined) return;
  endOrphan(busy.pid);
  throw new SpillwayError(`another engine (process ${busy.pid}) is at work on it`, {
    code: "burst-busy",
    where: `burst/${burst}`,
    hint: "It is tried again in a moment. An engine that hangs can be ended: kill that process.",
  });
}

async function openStack(config: BursterConfig, burst: string, program: PulumiFn): Promise<Stack> {
  refuseBusy(config, burst);
  const workspace = await openWorkspace(config, program);
  const name = stackName(burst);
  // Which of the two it is is known: asking Pulumi for either would start it once more.
  const stack = stackExists(config, burst) ? await Stack.select(name, workspace) : await Stack.create(name, workspace);
  // After each run it starts Pulumi thrice for its outputs and its history, which nobody here asks for.
  return Object.assign(stack, { outputs: async () => ({}), info: async () => undefined });
}
