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

/** What a server usually has: sshd and sudo. `ping` and `ss` are for tests that ask from inside. */
const serverPackages = ["openssh-server", "sudo", "iproute2", "iputils-ping", "procps", "ca-certificates", "python3-minimal"];
/** With systemd and its logins (PAM). */
const hostPackages = ["systemd", "systemd-sysv", "libpam-systemd", "dbus", ...serverPackages];

/** Each host gets a machine id and a host key of its own. */
const eachItsOwn = `
set -eu
rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/resolv.conf "$1"/etc/hostname
rm -rf "$1"/var/cache/apt/* "$1"/var/log/apt "$1"/var/log/dpkg.log "$1"/var/log/alternatives.log "$1"/var/log/bootstrap.log
: > "$1"/etc/machine-id
: > "$1"/etc/resolv.conf
mkdir -m 700 -p "$1"/root/.ssh
chroot "$1" useradd --create-home --shell /bin/bash ops
`;

/** No timer changes files while a test compares them. */
const systemdAfterwards = `${eachItsOwn}chroot "$1" systemctl --quiet enable systemd-networkd
for timer in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all; do chroot "$1" systemctl --quiet mask "$timer.timer"; done
for unit in systemd-networkd-wait-online console-getty getty@tty1; do chroot "$1" systemctl --quiet mask "$unit.service"; done
`;

/**
 * sysvinit as process 1, OpenRC for the services. There is no networkd: a service of its own reads the same file. What a
 * container can't do (clock, disks, terminals), and what keeps a copy of the services' order on the disk, is left out.
 */
const openrcAfterwards = `${eachItsOwn}sed -i /getty/d "$1"/etc/inittab
cat > "$1"/etc/init.d/lab-network <<'END'
#!/sbin/openrc-run
description="The address that the lab has given this host"
depend() { provide net; }
start() {
  for file in /etc/systemd/network/10-*.network; do
    value() { sed -n "s/^$1=//p" "$file"; }
    ip link set lo up
    ip link set "$(value Name)" up
    ip address add "$(value Address)" dev "$(value Name)"
    ip route add default via "$(value Gateway)"
  done
}
END
chmod 755 "$1"/etc/init.d/lab-network
chroot "$1" rc-update --quiet add lab-network default
for level in sysinit default off; do
  for service in brightness hwclock.sh mount-configfs checkroot.sh checkfs.sh urandom savecache; do rm -f "$1/etc/runlevels/$level/$service"; done
done
`;

/** As a cloud's image: whom cloud-init lets in, and with which host key, is said by the user data alone. Nobody asks a network for it. */
const cloudAfterwards = `${systemdAfterwards}chroot "$1" userdel --remove ops
rm -rf "$1"/root/.ssh "$1"/var/lib/cloud
cat > "$1"/etc/cloud/cloud.cfg.d/90_lab.cfg <<'END'
datasource_list: [ NoCloud, None ]
network: { config: disabled }
locale: C.UTF-8
END
`;

const recipes = {
  /** For containers: they run on this machine's kernel. zstd and a whole Python, as most servers have them. */
  host: { suite: "bookworm", packages: [...hostPackages, "python3", "zstd"], afterwards: systemdAfterwards },
  /** For containers without systemd. */
  openrc: { suite: "bookworm", packages: ["openrc", "sysvinit-core", ...serverPackages], afterwards: openrcAfterwards },
  /** For machines of a cloud. */
  cloud: { suite: "bookworm", packages: [...hostPackages, "cloud-init", "python3", "zstd"], afterwards: cloudAfterwards },
  /** For virtual machines: with a kernel of its own. */
  vm: {
    suite: "bookworm",
    packages: [...hostPackages, "linux-image-cloud-amd64", "initramfs-tools"],
    afterwards: systemdAfterwards,
  },
} satisfies Record<string, Recipe>;

export type RootKind = keyof typeof recipes;

const whoseRoot: Record<RootKind, string> = {
  host: "the hosts'",
  openrc: "the hosts' without systemd",
  cloud: "the cloud machines'",
  vm: "the virtual machine's",
};

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
    progress(`making ${whoseRoot[kind]} Debian root file system, once, about a minute`);
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
  writeFileSync(hook, recipe.afterwards, { mode: 0o700 });
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
