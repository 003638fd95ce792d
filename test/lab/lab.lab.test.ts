/** The lab itself: what other suites of the lab rely on. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../support/wait-until.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { labSlot } from "./support/lab-slot.ts";
import { containerLock, leftovers } from "./support/leftovers.ts";
import { runProgram } from "./support/run-program.ts";
import { remainingDifferences } from "./support/snapshot-differences.ts";
import { overSsh, sshAnswers } from "./support/ssh-client.ts";

const nothing = { processes: [], mounts: [], links: [], controlGroups: [], directories: [] };
/** A login writes there. */
const written = [/^files . \/var\/log\/(journal\/|wtmp)/];

describe("a lab of hosts", () => {
  let lab: Lab;
  beforeAll(async () => {
    const bare = { name: "bare", site: "oslo", diskMiB: 48, libc: "musl", sudo: false } as const;
    const bound = {
      name: "bound",
      site: "oslo",
      binds: [{ source: import.meta.dirname, target: "/opt/lab" }],
      hostsTable: { pool: "192.0.2.9" },
    };
    lab = await bootLab({ hosts: [{ site: "berlin" }, { site: "oslo" }, bare, bound], sites: ["berlin", "oslo"] });
  });
  afterAll(() => lab.close());

  test("each host answers over SSH with its own key, as root and as a user with sudo, from this machine and from the other site", async () => {
    expect(new Set(lab.hosts.map((host) => host.hostKey)).size).toBe(4);
    for (const host of [lab.host("h1"), lab.host("h2")]) {
      const shown = await runProgram(["ssh-keyscan", "-t", "ed25519", host.address]);
      const fingerprint = await runProgram(["ssh-keygen", "-l", "-f", "-"], { input: shown.stdout });
      expect(fingerprint.stdout).toContain(` ${host.hostKey} `);
      expect(await overSsh(host, "root", "id -un; hostname")).toMatchObject({ code: 0, stdout: `root\n${host.name}\n` });
      expect(await overSsh(host, "ops", "sudo -n id -un")).toMatchObject({ code: 0, stdout: "root\n" });
    }
    const fromThere = await lab.host("h2").read(["bash", "-c", `head -c 7 < /dev/tcp/${lab.host("h1").address}/22`]);
    expect(fromThere).toBe("SSH-2.0");
    const stranger = { ...lab.host("h1"), hostPublicKey: lab.host("h2").hostPublicKey };
    expect((await overSsh(stranger, "root", "true")).code).toBe(255);
  });

  test("a host comes with a small disk, without sudo, with the look of musl, with a folder of this machine, with names", async () => {
    const [bare, bound] = [lab.host("bare"), lab.host("bound")];
    expect((await overSsh(bare, "ops", "sudo -n true")).code).toBe(1);
    expect((await overSsh(bare, "ops", "ls /lib/ld-musl-x86_64.so.1")).code).toBe(0);
    const fill = await overSsh(bare, "ops", "head -c 60M /dev/zero > /tmp/big; code=$?; rm /tmp/big; exit $code");
    expect(fill).toMatchObject({ code: 1, stderr: expect.stringContaining("No space left on device") });
    expect(await bound.read(["ls", "/opt/lab"])).toContain("lab.lab.test.ts");
    expect((await bound.exec(["touch", "/opt/lab/x"])).stderr).toContain("Read-only file system");
    expect(await bound.read(["getent", "hosts", "pool"])).toContain("192.0.2.9");
  });

  test("each host has a tree of control groups of its own: a unit that ends on one goes on on the other", async () => {
    const [h1, h2] = [lab.host("h1"), lab.host("h2")];
    for (const host of [h1, h2]) await host.read(["systemd-run", "--quiet", "--unit=same-name", "sleep", "1000"]);
    await h1.read(["systemctl", "stop", "same-name"]);
    expect(h1.processes().some(({ command }) => command.endsWith("sleep 1000"))).toBe(false);
    expect(h2.processes().some(({ command }) => command.endsWith("sleep 1000"))).toBe(true);
    expect((await h2.read(["systemctl", "is-active", "same-name"])).trim()).toBe("active");
    await h2.read(["systemctl", "stop", "same-name"]);
  });

  test("after a power cut a host is silent; it comes back with its disk and a new boot id", async () => {
    const host = lab.host("h1");
    const before = await host.bootId();
    await host.read("echo kept > /srv/note");
    await host.read(["systemd-run", "--quiet", "sleep", "1000"]);
    await host.powerOff({ hard: true });
    expect(host.isOn()).toBe(false);
    expect(host.processes()).toEqual([]);
    expect(await sshAnswers(host.address, 500)).toBe(false);
    await host.powerOn();
    expect(await host.bootId()).not.toBe(before);
    expect(await host.read(["cat", "/srv/note"])).toBe("kept\n");
    expect((await overSsh(host, "ops", "true")).code).toBe(0);
  });

  test("a host that reboots itself comes back", async () => {
    const host = lab.host("h2");
    const before = await host.bootId();
    await host.reboot();
    expect(await host.bootId()).not.toBe(before);
    await host.powerOff({ hard: false });
    await host.powerOn();
    expect((await overSsh(host, "root", "true")).code).toBe(0);
  });

  test("a site that is cut reaches neither the other site nor this machine, but itself; mended, it does", async () => {
    const [h1, h2, bare] = [lab.host("h1"), lab.host("h2"), lab.host("bare")];
    const reaches = async (address: string) => (await h2.exec(["ping", "-c", "1", "-W", "1", address])).code === 0;
    const all = async () => [
      await reaches(h1.address),
      await reaches(lab.machineAddress),
      await reaches(bare.address),
      await sshAnswers(h2.address, 500),
    ];
    expect(await all()).toEqual([true, true, true, true]);
    await lab.cutSite("oslo");
    expect(await all()).toEqual([false, false, true, false]);
    expect(await sshAnswers(h1.address)).toBe(true);
    await lab.mendSite("oslo");
    expect(await all()).toEqual([true, true, true, true]);
  });

  test("a snapshot finds a file, a user, a unit, a process and a port that are new, and nothing when nothing is", async () => {
    const host = lab.host("h1");
    // So that no login of an earlier test is just ending.
    await host.reboot();
    const before = await host.snapshot();
    expect(await remainingDifferences(host, before)).toEqual([]);
    await host.read(`
      useradd --create-home visitor
      chmod 600 /etc/hosts
      sed -i s/Debian/debian/ /etc/issue
      printf 'import socket, time\\ns = socket.create_server(("", 8123))\\ntime.sleep(1000)\\n' > /srv/serve.py
      printf '[Service]\\nExecStart=python3 /srv/serve.py\\n' > /etc/systemd/system/served.service
      systemctl start served
      until ss -Hlnt | grep -q 8123; do sleep 0.1; done`);
    const found = await remainingDifferences(host, before, { allowed: written, withinMs: 0 });
    expect(found).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^files \+ \/etc\/systemd\/system\/served.service: file 0644 0:0 \d+ bytes sha256:/),
        expect.stringMatching(/^files \+ \/home\/visitor: directory/),
        expect.stringMatching(/^files ~ \/etc\/hosts: file 0644 .* → file 0600 /),
        expect.stringMatching(/^files ~ \/etc\/issue: .*as installed → .*sha256:/),
        expect.stringMatching(/^users \+ visitor: x:1001:/),
        expect.stringMatching(/^groups \+ visitor: /),
        "units + unit served.service: loaded active running",
        expect.stringMatching(/^units \+ file served.service: static/),
        "processes + 0 python3 /srv/serve.py: 1×",
        "ports + tcp 0.0.0.0:8123: 1×",
      ]),
    );
    await host.read(`
      systemctl stop served
      rm /etc/systemd/system/served.service /srv/serve.py
      systemctl daemon-reload
      userdel --remove visitor
      sed -i s/debian/Debian/ /etc/issue
      chmod 644 /etc/hosts`);
    expect((await overSsh(host, "ops", "true")).code).toBe(0);
    const backups = /^files ~ \/etc\/(passwd|shadow|group|gshadow|subuid|subgid)-: /;
    expect(await remainingDifferences(host, before, { allowed: [...written, backups] })).toEqual([]);
  });

  test("closed, it leaves nothing on this machine", async () => {
    expect(Object.values(lab.leftovers()).every((found) => found.length > 0)).toBe(true);
    const locks = lab.hosts.map((host) => containerLock(host.disk.root));
    expect(locks.every(existsSync)).toBe(true);
    await lab.close();
    expect(lab.leftovers()).toEqual(nothing);
    expect(locks.filter(existsSync)).toEqual([]);
  });
});

describe("a lab whose owner is gone", () => {
  test("it is swept after kill -9, with all its hosts", async () => {
    const program = `
      const { bootLab } = await import(${JSON.stringify(join(import.meta.dirname, "support/lab.ts"))});
      console.log((await bootLab({ hosts: 1 })).slot.number);
      setInterval(() => undefined, 60_000);`;
    const owner = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: ["ignore", "pipe", "inherit"] });
    const told = String(await once(owner.stdout, "data"));
    const slot = labSlot(Number(told));
    try {
      expect(leftovers(slot).processes.length).toBeGreaterThan(5);
      expect(leftovers(slot).links).toHaveLength(2);
    } finally {
      owner.kill("SIGKILL");
    }
    await waitUntil("the lab is swept", () => Object.values(leftovers(slot)).every((found) => found.length === 0), 60_000);
  });

  test("a lab that can't be booted leaves nothing", async () => {
    const hosts = [{ name: "h1" }, { name: "h2", site: "nowhere" }];
    await expect(bootLab({ hosts, sites: ["berlin"] })).rejects.toThrow("the lab has no site nowhere: it has berlin");
  });
});
