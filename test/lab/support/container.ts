/** A lab host as a systemd-nspawn container: a real init as process 1, real sshd, a network namespace of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { waitUntil } from "../../support/wait-until.ts";
import { inControlGroup } from "./control-group.ts";
import { type HostDisk, mountHostDisk, writeIdentity } from "./host-disk.ts";
import { type HostInit, hostInits } from "./host-init.ts";
import { type HostSnapshot, takeSnapshot } from "./host-snapshot.ts";
import { type ExecOptions, type HostOptions, type LabHost, outputOfExec } from "./lab-host.ts";
import type { LabSlot } from "./lab-slot.ts";
import { hostAddress, inRouter, type Site } from "./network.ts";
import { type HostProcess, initBelow, killAll, processesInside } from "./processes.ts";
import { type ProgramResult, runProgram } from "./run-program.ts";
import { sshAnswers } from "./ssh-client.ts";

export interface Container extends LabHost {
  readonly disk: HostDisk;
  /** What the host's console said, over all boots. */
  readonly consoleFile: string;
  /** What runs there, from this machine's process list. */
  processes(): HostProcess[];
  /** A description that can be compared: see host-snapshot.ts. */
  snapshot(): Promise<HostSnapshot>;
}

export interface ContainerPlace {
  readonly slot: LabSlot;
  readonly site: Site;
  /** Counts within the site; decides the address. */
  readonly number: number;
  readonly rootFileSystem: string;
  readonly keyFile: string;
  readonly publicKey: string;
}

/** systemd-nspawn says so when the host has rebooted itself. */
const rebootExitCode = 133;
const bootTimeoutMs = 60_000;

/** Makes the disk and boots; returns when the host is up. */
export async function bootContainer(name: string, place: ContainerPlace, options: HostOptions): Promise<Container> {
  const { slot, site } = place;
  const directory = join(slot.directory, name);
  const disk = await mountHostDisk(directory, place.rootFileSystem, options.diskMiB);
  const address = hostAddress(slot, site, place.number);
  const identity = { name, address: `${address}/24`, gateway: site.gateway, link: "host0", publicKey: place.publicKey };
  const key = await writeIdentity(disk.root, identity, options);
  const { start: _start, ...machine } = nspawnMachine({ name, slot, site, address, disk, directory }, options);
  await machine.powerOn();
  return { ...machine, ...key, keyFile: place.keyFile };
}

export interface NspawnPlace {
  readonly name: string;
  readonly slot: LabSlot;
  readonly site: Site;
  readonly address: string;
  readonly disk: HostDisk;
  /** The host's own, within the lab's. */
  readonly directory: string;
}

export interface NspawnMachine extends Omit<Container, "hostKey" | "hostPublicKey" | "keyFile"> {
  /** Power on, without waiting for anything. */
  start(): void;
}

/** A host that has its disk and is off: all that can be done with its power and within. */
export function nspawnMachine({ name, slot, site, address, disk, directory }: NspawnPlace, options: HostOptions): NspawnMachine {
  const consoleFile = join(directory, "console.log");
  const hostInit: HostInit = hostInits[options.init ?? "systemd"];
  const machine = `${slot.prefix}-${name}`;
  const argv = inRouter(slot, [
    "systemd-nspawn",
    "--quiet",
    "--boot",
    `--directory=${disk.root}`,
    `--machine=${machine}`,
    `--network-bridge=${site.bridge}`,
    // There may be no systemd on this machine to register with, and the shared root is not to be touched.
    "--register=no",
    "--keep-unit",
    "--settings=no",
    "--link-journal=no",
    "--resolv-conf=off",
    "--timezone=off",
    ...(options.binds ?? []).map(({ source, target }) => `--bind-ro=${source}:${target}`),
  ]);

  let supervisor: ChildProcess | undefined;
  let init: number | undefined;

  /** Starts the container and starts it again when it reboots itself. */
  const start = () => {
    mkdirSync("/run/systemd", { recursive: true });
    const log = openSync(consoleFile, "a");
    // /tmp lies on the disk, as on most servers, and not in memory.
    const env = { PATH: process.env.PATH, SYSTEMD_NSPAWN_TMPFS_TMP: "0" };
    const [program = "", ...words] = inControlGroup(machine, argv);
    const child = spawn(program, words, { stdio: ["ignore", log, log], detached: true, env });
    closeSync(log);
    supervisor = child;
    init = undefined;
    // The lab's watchdog ends what this process leaves running, so it may end before its hosts.
    child.unref();
    child.once("exit", (code) => {
      supervisor = undefined;
      init = undefined;
      if (code === rebootExitCode) start();
    });
  };

  const initProcess = (): number => {
    if (supervisor?.pid !== undefined) init ??= initBelow(supervisor.pid);
    if (init === undefined) throw new Error(`${name} is off`);
    return init;
  };

  const exec = (command: readonly string[] | string, { input, timeoutMs = 120_000 }: ExecOptions = {}): Promise<ProgramResult> => {
    const words = typeof command === "string" ? ["sh", "-c", command] : command;
    // Without --wd: entering the mount namespace makes its root the working directory.
    const entry = ["nsenter", "--target", String(initProcess()), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"];
    // The time limit holds inside: ending nsenter alone would leave the command there.
    return runProgram([...entry, "--", "timeout", "--signal=KILL", String(timeoutMs / 1000), ...words], {
      ...(input === undefined ? {} : { input }),
      env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", LANG: "C.UTF-8" },
      timeoutMs: timeoutMs + 5_000,
    });
  };

  const read = outputOfExec(name, exec);
  const bootId = async () => (await read(["cat", "/proc/sys/kernel/random/boot_id"])).trim();

  const untilUp = async () => {
    const isUp = async () => {
      if (supervisor === undefined) throw new Error(`${name} did not boot: ${consoleFile} says why`);
      if (!(await sshAnswers(address))) return false;
      return hostInit.isUp((await exec(hostInit.state)).stdout);
    };
    await waitUntil(`${name} is up (see ${consoleFile})`, isUp, bootTimeoutMs);
  };

  const powerOn = async () => {
    if (supervisor !== undefined) throw new Error(`${name} is on`);
    start();
    await untilUp();
  };

  const powerOff = async ({ hard }: { readonly hard: boolean }) => {
    const init1 = initProcess();
    if (hard) {
      // With its process 1 all others of the namespace are gone at once; nspawn ends after it.
      await killAll([init1]);
    } else {
      await hostInit.powerOff(init1, exec);
    }
    await waitUntil(`${name} is off`, () => supervisor === undefined, bootTimeoutMs);
  };

  const reboot = async () => {
    const before = initProcess();
    await read(hostInit.reboot);
    // Not asked inside: a process that enters while the host goes down is one it waits for.
    const again = () => {
      try {
        return initProcess() !== before;
      } catch {
        return false;
      }
    };
    await waitUntil(`${name} has rebooted`, again, bootTimeoutMs);
    await untilUp();
  };

  const processes = () => (supervisor === undefined ? [] : processesInside(initProcess()));
  const snapshot = () =>
    takeSnapshot({ root: `/proc/${initProcess()}/root`, disk, skip: (options.binds ?? []).map(({ target }) => target), read, processes });

  return {
    name,
    site: site.name,
    address,
    sshPort: 22,
    start,
    disk,
    consoleFile,
    isOn: () => supervisor !== undefined,
    bootId,
    exec,
    read,
    powerOff,
    powerOn,
    reboot,
    processes,
    snapshot,
  };
}
