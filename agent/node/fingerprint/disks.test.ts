import { expect, test } from "vitest";
import { disksFact } from "./disks.ts";

const mountinfo = `
22 26 0:21 / /proc rw - proc proc rw
26 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
27 26 8:2 /var/lib/x /srv/bound rw - ext4 /dev/sda2 rw
28 26 8:17 / /data\\040one rw - xfs /dev/sdb1 rw
29 26 7:1 / /snap/core ro - squashfs /dev/loop1 ro
32 26 8:33 /os-release /run/host/os-release ro - ext4 /dev/sdc1 rw
30 26 0:44 / /home rw - btrfs /dev/nvme0n1p3 rw
31 26 0:50 / /tmp rw - tmpfs tmpfs rw
`;
const files: Record<string, string> = {
  "/proc/1/mountinfo": mountinfo,
  "/sys/dev/block/8:2/../queue/rotational": "0\n",
  "/sys/dev/block/8:17/../queue/rotational": "1\n",
  "/sys/class/block/nvme0n1p3/../queue/rotational": "0\n",
};
const gib = 1024 ** 3;

test("each mounted block device is told once, with its room and whether it turns", async () => {
  const disks = await disksFact(
    (path) => files[path] ?? "",
    async (path) => (path === "/home" ? undefined : { size: 10 * gib, free: gib }),
  );
  expect(disks).toEqual([
    { path: "/", device: "/dev/sda2", sizeMiB: 10_240, freeMiB: 1024, rotational: false },
    { path: "/data one", device: "/dev/sdb1", sizeMiB: 10_240, freeMiB: 1024, rotational: true },
  ]);
});

test("no more are told than a node's record has room for", async () => {
  const many = Array.from({ length: 99 }, (_, n) => `${n} 1 8:${n} / /d${n} rw - ext4 /dev/sd${n} rw`).join("\n");
  const disks = await disksFact(
    (path) => (path === "/proc/1/mountinfo" ? many : ""),
    async () => ({ size: gib, free: gib }),
  );
  expect(disks).toHaveLength(32);
  expect(disks[0]).not.toHaveProperty("rotational");
});

test("this host's own disks can be read", async () => {
  for (const { sizeMiB, freeMiB } of await disksFact()) expect(sizeMiB).toBeGreaterThanOrEqual(freeMiB);
});
