/** The Debian root file system all lab hosts stand on: made once, kept in the cache under the hash of its recipe. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDirectory } from "../../../agent/bundle/build.ts";
import { withFileLock } from "./file-lock.ts";
import { outputOf } from "./run-program.ts";

interface Recipe {
  readonly suite: string;
  readonly packages: readonly string[];
  /** Run in the new root (`$1`) when all packages are in. */
  readonly afterwards: string;
}

/** What a server usually has: systemd with logins (PAM), sshd, sudo. `ping` and `ss` are for tests that ask from inside. */
const hostPackages = [
  "systemd",
  "systemd-sysv",
  "libpam-systemd",
  "dbus",
  "openssh-server",
  "sudo",
  "iproute2",
  "iputils-ping",
  "procps",
  "ca-certificates",
  "python3-minimal",
];

/** Each host gets a machine id and a host key of its own, and no timer changes files while a test compares them. */
const afterwards = `
set -eu
rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/resolv.conf "$1"/etc/hostname
rm -rf "$1"/var/cache/apt/* "$1"/var/log/apt "$1"/var/log/dpkg.log "$1"/var/log/alternatives.log "$1"/var/log/bootstrap.log
: > "$1"/etc/machine-id
: > "$1"/etc/resolv.conf
mkdir -m 700 -p "$1"/root/.ssh
chroot "$1" useradd --create-home --shell /bin/bash ops
chroot "$1" systemctl --quiet enable systemd-networkd
for timer in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all; do chroot "$1" systemctl --quiet mask "$timer.timer"; done
for unit in systemd-networkd-wait-online console-getty getty@tty1; do chroot "$1" systemctl --quiet mask "$unit.service"; done
`;

const recipes = {
  /** For containers: they run on this machine's kernel. */
  host: { suite: "bookworm", packages: hostPackages, afterwards },
  /** For virtual machines: with a kernel of its own. */
  vm: { suite: "bookworm", packages: [...hostPackages, "linux-image-cloud-amd64", "initramfs-tools"], afterwards },
} satisfies Record<string, Recipe>;

export type RootKind = keyof typeof recipes;

/** The directory of the root file system, made first when the cache has none: about a minute. Never write into it. */
export async function rootFileSystem(kind: RootKind, progress: (line: string) => void = tell): Promise<string> {
  const recipe = recipes[kind];
  const lab = join(cacheDirectory(), "lab");
  const hash = createHash("sha256").update(JSON.stringify(recipe)).digest("hex").slice(0, 16);
  const root = join(lab, `${kind}-${hash}`);
  if (existsSync(root)) return root;
  mkdirSync(lab, { recursive: true });
  // Not under the lock of labs: another lab whose root is there must not wait for this one.
  return await withFileLock(join(lab, `${kind}.lock`), async () => {
    if (existsSync(root)) return root;
    progress(`making the ${kind === "vm" ? "virtual machine's" : "hosts'"} Debian root file system, once, about a minute`);
    const building = join(lab, `building-${kind}`);
    // What a killed builder left; its mounts went with its namespace, and if not, nothing beyond them is deleted.
    await outputOf(["rm", "-rf", "--one-file-system", building]);
    await build(recipe, building, progress);
    renameSync(building, root);
    for (const old of readdirSync(lab)) {
      if (old.startsWith(`${kind}-`) && old !== `${kind}-${hash}`) progress(`no longer needed: ${join(lab, old)}`);
    }
    return root;
  });
}

async function build(recipe: Recipe, directory: string, progress: (line: string) => void): Promise<void> {
  const hook = join(tmpdir(), `spillway-lab-hook-${process.pid}.sh`);
  writeFileSync(hook, afterwards, { mode: 0o700 });
  const started = performance.now();
  try {
    await outputOf(
      [
        "mmdebstrap",
        "--variant=minbase",
        `--include=${recipe.packages.join(",")}`,
        `--customize-hook=sh ${hook} "$1"`,
        recipe.suite,
        directory,
      ],
      {
        timeoutMs: 20 * 60_000,
        onLine: (line) => {
          if (line.startsWith("I: ")) progress(`  ${((performance.now() - started) / 1000).toFixed(0)} s  ${line.slice(3)}`);
        },
      },
    );
  } finally {
    rmSync(hook, { force: true });
  }
}

function tell(line: string): void {
  console.error(`lab: ${line}`);
}
