/** A host's disk: an overlay over the shared root file system, and what makes it this host: name, keys, address, users' rights. */
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { HostFile, HostOptions, LabHost } from "./lab-host.ts";
import { outputOf } from "./run-program.ts";

export interface HostDisk {
  /** The whole file system, mounted as long as the lab is there, whether the host is on or off. */
  readonly root: string;
  /** Only what the host wrote. */
  readonly upper: string;
  /** The shared root file system below. */
  readonly lower: string;
}

export async function mountHostDisk(directory: string, lower: string, diskMiB: number | undefined): Promise<HostDisk> {
  const store = join(directory, "disk");
  mkdirSync(store, { recursive: true });
  if (diskMiB !== undefined) await outputOf(["mount", "-t", "tmpfs", "-o", `size=${diskMiB}m,mode=755`, "tmpfs", store]);
  const disk = { root: join(directory, "root"), upper: join(store, "upper"), lower };
  const work = join(store, "work");
  for (const made of [disk.root, disk.upper, work]) mkdirSync(made);
  await outputOf(["mount", "-t", "overlay", "overlay", "-o", `lowerdir=${lower},upperdir=${disk.upper},workdir=${work}`, disk.root]);
  return disk;
}

export interface HostIdentity {
  readonly name: string;
  /** With its prefix length. */
  readonly address: string;
  readonly gateway: string;
  /** Name of its link inside. */
  readonly link: string;
  /** Line for authorized_keys. */
  readonly publicKey: string;
}

export type HostKey = Pick<LabHost, "hostKey" | "hostPublicKey">;

/** Writes the identity and returns the host's new key. */
export async function writeIdentity(root: string, identity: HostIdentity, options: HostOptions): Promise<HostKey> {
  const { name, address, gateway, link } = identity;
  const put = (file: HostFile) => putFile(root, file);
  const hostsTable = Object.entries(options.hostsTable ?? {}).map(([host, at]) => `${at} ${host}\n`);
  put({ path: "/etc/hostname", content: `${name}\n` });
  put({ path: "/etc/hosts", content: `127.0.0.1 localhost\n127.0.1.1 ${name}\n${hostsTable.join("")}` });
  put({
    path: `/etc/systemd/network/10-${link}.network`,
    content: `[Match]\nName=${link}\n\n[Network]\nAddress=${address}\nGateway=${gateway}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n`,
  });
  put({ path: "/root/.ssh/authorized_keys", content: identity.publicKey, mode: 0o600 });
  put({ path: "/home/ops/.ssh/authorized_keys", content: identity.publicKey, mode: 0o600, owner: "ops" });
  if (options.sudo !== false) put({ path: "/etc/sudoers.d/ops", content: "ops ALL=(ALL:ALL) NOPASSWD: ALL\n", mode: 0o440 });
  if (options.libc === "musl") for (const file of muslFiles) put(file);
  for (const file of options.files ?? []) put(file);
  return await makeHostKey(root);
}

const muslFiles: readonly HostFile[] = [
  { path: "/lib/ld-musl-x86_64.so.1", content: "", mode: 0o755 },
  { path: "/usr/bin/getconf", content: "#!/bin/sh\nexit 1\n", mode: 0o755 },
  { path: "/usr/bin/ldd", content: '#!/bin/sh\necho "musl libc (x86_64)\nVersion 1.2.5" >&2\nexit 1\n', mode: 0o755 },
  { path: "/etc/os-release", content: 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.0\nPRETTY_NAME="Alpine Linux v3.20"\n' },
  { path: "/etc/alpine-release", content: "3.20.0\n" },
];

async function makeHostKey(root: string): Promise<HostKey> {
  const file = join(root, "etc/ssh/ssh_host_ed25519_key");
  await outputOf(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file]);
  const fingerprint = (await outputOf(["ssh-keygen", "-l", "-E", "sha256", "-f", `${file}.pub`])).split(" ")[1];
  if (fingerprint?.startsWith("SHA256:") !== true) throw new Error(`no fingerprint of ${file}`);
  return { hostKey: fingerprint, hostPublicKey: readFileSync(`${file}.pub`, "utf8").trim() };
}

/** Paths are the host's own. A new directory belongs to the file's owner. */
export function putFile(root: string, { path, content, mode = 0o644, owner = "root" }: HostFile): void {
  const file = join(root, realPath(root, path));
  const { uid, gid } = userOf(root, owner);
  const made = mkdirSync(dirname(file), { recursive: true, mode: owner === "root" ? 0o755 : 0o700 });
  if (made !== undefined) chownSync(dirname(file), uid, gid);
  // A link there would lead out of the host's root.
  rmSync(file, { force: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
  chownSync(file, uid, gid);
}

/** Debian's /lib and /bin are links into /usr. */
function realPath(root: string, path: string): string {
  const merged = /^\/(bin|sbin|lib|lib64)\//.test(path) && existsSync(join(root, "usr"));
  return merged ? `/usr${path}` : path;
}

function userOf(root: string, name: string): { uid: number; gid: number } {
  const line = readFileSync(join(root, "etc/passwd"), "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`the host has no user ${name}`);
  const [, , uid, gid] = line.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}
