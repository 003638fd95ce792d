/**
 * Machines on this computer without root, containers or a cloud account. A machine is a directory:
 *
 *     machine.json  host_key  client_key(.pub)  machine.pid  boot-id  machine.log  home/  root/
 *
 * The directory appears by one rename, so that it is there whole or not at all; making the same machine again finishes
 * what a former attempt left.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import type { Resources } from "../../agent/contract/resources.ts";
import { canDial } from "../can-dial.ts";
import type { ListedMachine, Listing, ListScope, MachineStatus, Provider } from "../provider.ts";
import { freePort } from "./free-port.ts";
import { makeSshKey, portTakenExitCode } from "./machine.ts";
import { endMachineProcesses, isMachineServer } from "./processes.ts";
import { type LocalMachineRecord, localMachineRecord } from "./record.ts";

export interface LocalMachineSpec {
  readonly environmentId: string;
  readonly name: string;
  readonly pool: string;
  /** Absolute; the machine's own. */
  readonly directory: string;
  /** What it is declared to have; this computer is not asked whether that is true. */
  readonly capacity: Resources;
  readonly labels: Record<string, string>;
  /** A Node binary that the agent may link to; undefined: the bundle brings its own. */
  readonly nodeBinary: string | undefined;
  /** The burst that buys it. */
  readonly burst?: string | undefined;
  /** USD/hour, made up; nothing without it. */
  readonly price?: { readonly hourly: number } | undefined;
}

const startDeadlineMs = 15_000;

/** Makes the machine and starts it; one that is there already for the same environment is started and kept. */
export async function createLocalMachine(spec: LocalMachineSpec): Promise<Machine> {
  const existing = readRecord(spec.directory);
  if (existing !== undefined && existing.environmentId !== spec.environmentId) {
    throw new SpillwayError(`the directory ${spec.directory} holds a machine of another environment (${existing.environmentId})`, {
      code: "machine-of-another-environment",
      where: `machine ${spec.name}`,
      hint: "If it is this very environment and its state was lost: spillway nodes adopt. If it is gone for good, delete the directory and run it again.",
    });
  }
  if (existing !== undefined && existing.burst !== spec.burst) {
    const owner = existing.burst === undefined ? "a node pool" : `the burst ${existing.burst}`;
    throw new SpillwayError(`the directory ${spec.directory} holds a machine of ${owner}`, {
      code: "machine-of-another-burst",
      where: `machine ${spec.name}`,
      hint: "Give the machine another name, or end that one first.",
    });
  }
  const record = existing === undefined ? await makeDirectory(spec) : await refreshRecord(spec, existing);
  const machine = machineOf(spec.directory, record);
  await localProvider.start(machine);
  return machine;
}

export const localProvider: Provider = {
  name: "local",
  isCloud: false,

  async status(machine: Machine): Promise<MachineStatus> {
    const directory = directoryOf(machine);
    const record = readRecord(directory);
    if (record === undefined || record.providerId !== machine.providerId) return "gone";
    return isRunning(directory) ? "running" : "stopped";
  },

  async start(machine: Machine): Promise<void> {
    const directory = directoryOf(machine);
    if (readRecord(directory)?.providerId !== machine.providerId) {
      throw new SpillwayError(`its directory ${directory} is gone`, {
        code: "machine-gone",
        where: `machine ${machine.name}`,
        hint: "The next up makes it anew.",
      });
    }
    if (!isRunning(directory)) await withCrashPoint("machine.start", () => startServer(machine, directory));
  },

  async delete(machine: Machine): Promise<void> {
    const directory = directoryOf(machine);
    const record = readRecord(directory);
    if (record !== undefined && record.providerId !== machine.providerId) return;
    await withCrashPoint("machine.stop", () => endMachineProcesses(directory));
    await withCrashPoint("machine.delete", () => deleteDirectory(directory));
  },

  async list(environmentId: string, { directory: all }: ListScope): Promise<Listing> {
    const machines = (existsSync(all) ? readdirSync(all) : []).flatMap((entry): ListedMachine[] => {
      const directory = join(all, entry);
      const record = readRecord(directory);
      if (record === undefined || record.environmentId !== environmentId) return [];
      const { burst, madeAt } = record;
      return [
        {
          machine: machineOf(directory, record),
          environmentId,
          status: isRunning(directory) ? "running" : "stopped",
          ...(burst === undefined ? {} : { burst }),
          ...(madeAt === undefined ? {} : { madeAt }),
        },
      ];
    });
    return { machines, things: [], unasked: [] };
  },

  endCommand: (machine: Machine) => ["/bin/sh", "-c", endScript, "sh", directoryOf(machine)],
};

/** TERM to the machine's server, which takes everything on it along; a process that only has its number is left alone. */
const endScript = `pid=$(cat "$1/machine.pid") || exit 0
words=$(tr '\\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" || ps -o command= -p "$pid")
case "$words" in *machine.ts*"$1"*) kill "$pid" ;; esac`;

/**
 * Deletes every machine that bears the environment's tag, and drafts of directories: also those that an interrupted run
 * made and nobody recorded.
 */
export async function deleteAllLocalMachines(environmentId: string, where: string): Promise<void> {
  if (!existsSync(where)) return;
  for (const entry of readdirSync(where)) {
    const directory = join(where, entry);
    const isDraft = entry.startsWith(".") && entry.endsWith(".new");
    // What has no record was half made or half deleted, and the folder belongs to the environment.
    const owner = readRecord(directory)?.environmentId;
    if (!isDraft && owner !== undefined && owner !== environmentId) continue;
    await withCrashPoint("machine.stop", () => endMachineProcesses(directory));
    await withCrashPoint("machine.delete", () => deleteDirectory(directory));
  }
}

/** The machine's directory is where its credential lies; no other place records it. */
function directoryOf({ name, credential }: Machine): string {
  if (credential.kind === "file") return dirname(credential.path);
  throw new Error(`bug: the local machine ${name} has no key file`);
}

function machineOf(directory: string, record: LocalMachineRecord): Machine {
  const { name, pool, providerId, port, user, hostKey, labels, price, capacity, burst, nodeBinary } = record;
  return {
    name,
    pool,
    provider: "local",
    providerId,
    host: "127.0.0.1",
    port,
    user,
    hostKey,
    credential: { kind: "file", path: join(directory, "client_key") },
    labels,
    attributes: { cloud: "local", arch: process.arch },
    ...(capacity === undefined ? {} : { capacity }),
    price,
    ...(burst === undefined ? {} : { burst }),
    ...(nodeBinary === undefined ? {} : { nodeBinary }),
  };
}

/** What the record says of the machine as it is wanted. */
function wantedOf({ name, pool, capacity, labels, price, burst, nodeBinary }: LocalMachineSpec) {
  return { name, pool, capacity, labels, price: price ?? { hourly: 0 }, burst, nodeBinary };
}

/** A machine that is wanted otherwise than it was made says so itself from then on. */
async function refreshRecord(spec: LocalMachineSpec, existing: LocalMachineRecord): Promise<LocalMachineRecord> {
  const record = { ...existing, ...wantedOf(spec) };
  if (textOf(record) === textOf(existing)) return existing;
  await withCrashPoint("machine.directory", () => {
    const file = join(spec.directory, "machine.json");
    writeFileSync(`${file}.new`, textOf(record));
    renameSync(`${file}.new`, file);
  });
  return record;
}

function textOf(record: LocalMachineRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

async function makeDirectory(spec: LocalMachineSpec): Promise<LocalMachineRecord> {
  const hostKey = makeSshKey(`${spec.name} host`);
  const clientKey = makeSshKey(`${spec.name} client`);
  const record: LocalMachineRecord = {
    environmentId: spec.environmentId,
    ...wantedOf(spec),
    providerId: `local-${randomUUID()}`,
    port: await freePort(),
    hostKey: hostKey.fingerprint,
    user: userInfo().username,
    madeAt: Date.now(),
  };
  await withCrashPoint("machine.directory", () => {
    const parent = dirname(spec.directory);
    const draft = join(parent, `.${basename(spec.directory)}.new`);
    rmSync(draft, { recursive: true, force: true });
    // What a crashed deletion left under the final name has no machine.json, and so is nobody's.
    rmSync(spec.directory, { recursive: true, force: true });
    for (const part of ["home", "root/opt", "root/etc", "root/var/lib", "root/var/log"])
      mkdirSync(join(draft, part), { recursive: true, mode: 0o700 });
    writeFileSync(join(draft, "host_key"), hostKey.privateKey, { mode: 0o600 });
    writeFileSync(join(draft, "client_key"), clientKey.privateKey, { mode: 0o600 });
    writeFileSync(join(draft, "client_key.pub"), clientKey.publicKey);
    writeFileSync(join(draft, "machine.json"), textOf(record));
    renameSync(draft, spec.directory);
  });
  return record;
}

async function startServer(machine: Machine, directory: string): Promise<void> {
  // What ran when its power went off is not part of the machine that starts now.
  await endMachineProcesses(directory);
  rmSync(join(directory, "machine.pid"), { force: true });
  const log = openSync(join(directory, "machine.log"), "a");
  const server = spawn(process.execPath, [join(import.meta.dirname, "machine.ts"), directory], {
    cwd: directory,
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  server.unref();
  let exitCode: number | null = null;
  server.on("exit", (code) => {
    exitCode = code ?? 1;
  });
  const deadline = Date.now() + startDeadlineMs;
  while (!(existsSync(join(directory, "machine.pid")) && (await canDial("127.0.0.1", machine.port)))) {
    if (exitCode !== null) throw startFailure(machine, directory, exitCode);
    if (Date.now() > deadline) {
      server.kill("SIGKILL");
      throw startFailure(machine, directory, undefined);
    }
    await delay(15);
  }
}

function startFailure(machine: Machine, directory: string, exitCode: number | undefined): SpillwayError {
  const where = `machine ${machine.name}`;
  if (exitCode === portTakenExitCode) {
    return new SpillwayError(`port ${machine.port} on 127.0.0.1 is in use by another program`, {
      code: "port-in-use",
      where,
      hint: `Stop that program (ss -ltnp 'sport = :${machine.port}' names it) and run it again.`,
    });
  }
  const lines = readFileSync(join(directory, "machine.log"), "utf8").trim().split("\n");
  // Node prints the error before its trace; without one the last words have to do.
  const lastLines = lines.findLast((line) => /^\w*Error\b/.test(line)) ?? lines.slice(-3).join(" ");
  const what = exitCode === undefined ? `did not answer within ${startDeadlineMs / 1000} s` : `ended with ${exitCode}`;
  return new SpillwayError(`its SSH server ${what}: ${lastLines}`, {
    code: "machine-start-failed",
    where,
    hint: `The whole log: ${join(directory, "machine.log")}`,
  });
}

function deleteDirectory(directory: string): void {
  // First the record: from then on the directory is nobody's, and an interrupted deletion can be finished by anyone.
  rmSync(join(directory, "machine.json"), { force: true });
  rmSync(directory, { recursive: true, force: true });
  rmSync(join(dirname(directory), `.${basename(directory)}.new`), { recursive: true, force: true });
  try {
    rmdirSync(dirname(directory));
  } catch {
    // Other machines still live there.
  }
}

function readRecord(directory: string): LocalMachineRecord | undefined {
  const file = join(directory, "machine.json");
  if (!existsSync(file)) return undefined;
  try {
    return localMachineRecord.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    // Torn by a power cut: as good as none, and then the machine is made anew.
    return undefined;
  }
}

function isRunning(directory: string): boolean {
  const file = join(directory, "machine.pid");
  if (!existsSync(file)) return false;
  const pid = Number(readFileSync(file, "utf8"));
  return Number.isInteger(pid) && isMachineServer(pid, directory);
}
