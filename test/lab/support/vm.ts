/** A lab host as a QEMU guest, for what a container can't show here: a kernel and clock of its own, cgroup v2 limits, OOM kills. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { waitUntil } from "../../support/wait-until.ts";
import { inControlGroup } from "./control-group.ts";
import { mountHostDisk, writeIdentity } from "./host-disk.ts";
import type { Lab } from "./lab.ts";
import { type ExecOptions, type HostOptions, type LabHost, outputOfExec } from "./lab-host.ts";
import { hostAddress, inRouter } from "./network.ts";
import { killAll } from "./processes.ts";
import { rootFileSystem } from "./root-file-system.ts";
import { outputOf } from "./run-program.ts";
import { overSsh, sshAnswers } from "./ssh-client.ts";

export interface VmOptions extends Omit<HostOptions, "binds" | "libc"> {
  /** 1024 when not given. */
  readonly memoryMiB?: number;
  /** How far its clock is ahead of this machine's when it boots (negative: behind). Nothing in it corrects the clock. */
  readonly clockOffsetMs?: number;
}

export interface Vm extends LabHost {
  /** What the console said, over all boots. */
  readonly consoleFile: string;
  /** Sets its clock so far ahead of this machine's, now and at each later `powerOn`. */
  setClockOffset(ms: number): Promise<void>;
}

/** There may be no hardware virtualisation, so the processor is emulated: about a minute on a quiet machine. */
const bootTimeoutMs = 400_000;
const defaultDiskMiB = 2_500;

/** Boots in a lab (which may have no other host) and goes with it; returns when it is up. */
export async function bootVm(lab: Lab, options: VmOptions = {}): Promise<Vm> {
  const name = options.name ?? "vm";
  const { slot } = lab;
  const site = lab.site(options.site);
  const root = await rootFileSystem("vm");
  const directory = join(slot.directory, name);
  const consoleFile = join(directory, "console.log");
  const image = join(directory, "disk.img");
  const address = hostAddress(slot, site, lab.nextPlace(site));
  const link = `tap-${name}`;

  // The image is made from the same overlay that is a container's disk.
  const disk = await mountHostDisk(directory, root, undefined);
  const identity = {
    name,
    address: `${address}/24`,
    gateway: site.gateway,
    link: "eth0",
    publicKey: readFileSync(`${lab.keyFile}.pub`, "utf8"),
  };
  const key = await writeIdentity(disk.root, identity, options);
  await outputOf(["mke2fs", "-q", "-t", "ext4", "-d", disk.root, image, `${options.diskMiB ?? defaultDiskMiB}M`]);
  await outputOf(["umount", disk.root]);
  await outputOf(["ip", "-n", slot.prefix, "tuntap", "add", "dev", link, "mode", "tap"]);
  await outputOf(["ip", "-n", slot.prefix, "link", "set", "dev", link, "master", site.bridge, "up"]);

  const target = { name, site: site.name, address, sshPort: 22, ...key, keyFile: lab.keyFile } as const;
  let clockOffsetMs = options.clockOffsetMs ?? 0;
  let qemu: ChildProcess | undefined;

  const memoryMiB = options.memoryMiB ?? 1024;
  /** Starts the machine, and starts it anew when it reboots itself: after a reset within QEMU the kernel takes minutes. */
  const start = () => {
    const argv = qemuArgv({ boot: join(root, "boot"), image, link, memoryMiB, consoleFile, clock: Date.now() + clockOffsetMs });
    const [program = "", ...words] = inControlGroup(`${slot.prefix}-${name}`, inRouter(slot, argv));
    const child = spawn(program, words, { stdio: ["pipe", "pipe", "inherit"], detached: true });
    // The lab's watchdog ends what this process leaves running, so it may end before its hosts.
    child.unref();
    for (const stream of [child.stdin, child.stdout]) (stream as Socket).unref();
    let told = "";
    child.stdout.on("data", (chunk: Buffer) => {
      told = (told + chunk.toString()).slice(-2000);
    });
    child.stdin.on("error", () => undefined);
    child.stdin.write('{"execute":"qmp_capabilities"}\n');
    child.once("close", () => {
      if (qemu !== child) return;
      qemu = undefined;
      if (told.includes('"guest-reset"')) start();
    });
    qemu = child;
  };

  const exec = async (command: readonly string[] | string, execOptions: ExecOptions = {}) => {
    if (qemu === undefined) throw new Error(`${name} is off`);
    return await overSsh(target, "root", typeof command === "string" ? command : command.map(quoted).join(" "), execOptions);
  };
  const read = outputOfExec(name, exec);
  // Asked while it goes down, an answer may never come.
  const bootId = async () => (await read(["cat", "/proc/sys/kernel/random/boot_id"], { timeoutMs: 20_000 })).trim();
  /** A moment later, so that the answer comes before the network goes. */
  const soon = (verb: "poweroff" | "reboot") => read(["systemd-run", "--quiet", "--on-active=1s", "systemctl", verb]);

  const untilUp = async () => {
    const isUp = async () => {
      if (qemu === undefined) throw new Error(`${name} did not boot: ${consoleFile} says why`);
      return (await sshAnswers(address)) && /^(running|degraded)/.test((await exec(["systemctl", "is-system-running"])).stdout);
    };
    await waitUntil(`${name} is up (see ${consoleFile})`, isUp, bootTimeoutMs);
  };

  const powerOn = async () => {
    if (qemu !== undefined) throw new Error(`${name} is on`);
    start();
    await untilUp();
  };

  const powerOff = async ({ hard }: { readonly hard: boolean }) => {
    if (qemu?.pid === undefined) throw new Error(`${name} is off`);
    if (hard) await killAll([qemu.pid]);
    else await soon("poweroff");
    await waitUntil(`${name} is off`, () => qemu === undefined, bootTimeoutMs);
  };

  const reboot = async () => {
    const before = await bootId();
    await soon("reboot");
    const again = async () => (await sshAnswers(address)) && (await bootId().catch(() => before)) !== before;
    await waitUntil(`${name} has rebooted (see ${consoleFile})`, again, bootTimeoutMs);
    await untilUp();
  };

  const setClockOffset = async (ms: number) => {
    clockOffsetMs = ms;
    await read(["date", "--utc", "--set", `@${((Date.now() + ms) / 1000).toFixed(3)}`]);
  };

  await powerOn();
  return { ...target, consoleFile, isOn: () => qemu !== undefined, bootId, exec, read, powerOff, powerOn, reboot, setClockOffset };
}

interface QemuOptions {
  /** Directory with the kernel and its first file system. */
  readonly boot: string;
  readonly image: string;
  readonly link: string;
  readonly memoryMiB: number;
  readonly consoleFile: string;
  /** What the guest's hardware clock shows at power on, in ms since 1970. */
  readonly clock: number;
}

/** What costs an emulated machine long and helps no test. */
const maskedUnits = [
  "e2scrub_reap.service",
  "dev-hugepages.mount",
  "dev-mqueue.mount",
  "sys-kernel-debug.mount",
  "sys-kernel-tracing.mount",
];
const kernelLine = [
  "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 mitigations=off audit=0",
  ...maskedUnits.map((unit) => `systemd.mask=${unit}`),
].join(" ");

function qemuArgv({ boot, image, link, memoryMiB, consoleFile, clock }: QemuOptions): string[] {
  const file = (start: string) => join(boot, readdirSync(boot).find((name) => name.startsWith(start)) ?? `${start}?`);
  return [
    "qemu-system-x86_64",
    ...pairs({
      machine: "q35",
      cpu: "max",
      accel: "tcg,thread=multi",
      smp: "2",
      m: String(memoryMiB),
      display: "none",
      // It tells on its standard output whether the guest rebooted or powered off.
      qmp: "stdio",
      chardev: `file,id=console,path=${consoleFile},append=on`,
      serial: "chardev:console",
      rtc: `base=${new Date(clock).toISOString().slice(0, 19)}`,
      kernel: file("vmlinuz-"),
      initrd: file("initrd.img-"),
      append: kernelLine,
      drive: `file=${image},if=virtio,format=raw`,
      netdev: `tap,id=n0,ifname=${link},script=no,downscript=no`,
      device: "virtio-net-pci,netdev=n0",
    }),
    "-nodefaults",
    "-no-reboot",
    "-device",
    "virtio-rng-pci",
  ];
}

function pairs(options: Readonly<Record<string, string>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => [`-${name}`, value]);
}

/** One word for the guest's shell, whatever is in it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
