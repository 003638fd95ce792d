/** What the lab needs of this machine: root on Linux and a few system packages. */
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { installSystemPackages } from "../../../tools/check/system-packages.ts";

/** Programs the lab runs, and the Debian packages they come in. */
const programs: Readonly<Record<string, string>> = {
  mmdebstrap: "mmdebstrap",
  "systemd-nspawn": "systemd-container",
  "qemu-system-x86_64": "qemu-system-x86",
  ip: "iproute2",
  ssh: "openssh-client",
  "ssh-keygen": "openssh-client",
  openssl: "openssl",
  "ssh-keyscan": "openssh-client",
  mke2fs: "e2fsprogs",
  flock: "util-linux",
  nsenter: "util-linux",
  "qemu-aarch64-static": "qemu-user-static",
};
/** Where Debian's packages put arm64's glibc and C++ library; what runs under QEMU's user emulation needs them. */
export const arm64Root = "/usr/aarch64-linux-gnu";
const files: Readonly<Record<string, string>> = {
  [join(arm64Root, "lib/ld-linux-aarch64.so.1")]: "libc6-arm64-cross",
  [join(arm64Root, "lib/libstdc++.so.6")]: "libstdc++6-arm64-cross",
};

/** The machine as far as it matters; a test hands in another. */
export interface LabMachine {
  readonly platform: string;
  readonly arch: string;
  readonly uid: number | undefined;
  readonly hasProgram: (name: string) => boolean;
  readonly hasFile: (path: string) => boolean;
  readonly install: (packages: readonly string[]) => string | undefined;
}

/** Undefined when the lab can be booted here, else the sentence why not. With `install` what apt-get can mend is mended first. */
export function labMissing({ install }: { install: boolean }, here: LabMachine = thisMachine): string | undefined {
  if (here.platform !== "linux" || here.arch !== "x64") return "the lab's hosts need Linux on x86-64";
  if (here.uid !== 0) return "the lab's hosts need root (mounts, network namespaces)";
  const groups = ["/sys/fs/cgroup/systemd/cgroup.procs", "/sys/fs/cgroup/cgroup.procs"];
  if (!groups.some(here.hasFile)) return "the lab's hosts need systemd's control groups, /sys/fs/cgroup/systemd or cgroup v2";
  if (!here.hasFile("/dev/net/tun")) return "the lab's virtual machine needs /dev/net/tun";
  const lacking = [
    ...Object.keys(programs).filter((name) => !here.hasProgram(name)),
    ...Object.keys(files).filter((path) => !here.hasFile(path)),
  ];
  if (lacking.length === 0) return undefined;
  const packages = [...new Set(lacking.map((name) => programs[name] ?? files[name] ?? name))];
  if (install) return here.install(packages);
  return `${lacking.join(", ")} ${lacking.length === 1 ? "is" : "are"} not installed: apt-get install ${packages.join(" ")} (--install installs it)`;
}

const thisMachine: LabMachine = {
  platform: process.platform,
  arch: process.arch,
  uid: process.getuid?.(),
  hasProgram: (name) => (process.env.PATH ?? "").split(":").some((directory) => isExecutable(join(directory, name))),
  hasFile: existsSync,
  install: installSystemPackages,
};

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
