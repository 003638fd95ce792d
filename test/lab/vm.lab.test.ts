/** The lab's virtual machine: what a container can't show on every kernel. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootLab, type Lab } from "./support/lab.ts";
import { bootVm, type Vm } from "./support/vm.ts";

describe("a virtual machine of the lab", () => {
  let lab: Lab;
  let vm: Vm;
  beforeAll(async () => {
    lab = await bootLab({ hosts: 1 });
    vm = await bootVm(lab, { clockOffsetMs: -5 * 60_000 });
  });
  afterAll(() => lab.close());

  const secondsAhead = async () => Math.round(Number(await vm.read(["date", "+%s"])) - Date.now() / 1000);

  test("hosts of its site reach it, and it has cgroup v2", async () => {
    expect((await lab.host("h1").exec(["ping", "-c", "1", "-W", "5", vm.address])).code).toBe(0);
    expect((await vm.read(["stat", "-f", "-c", "%T", "/sys/fs/cgroup"])).trim()).toBe("cgroup2fs");
  });

  test("a unit that takes more memory than it may is ended by the kernel", async () => {
    const unit = ["systemd-run", "--wait", "--pipe", "-p", "MemoryMax=40M", "python3", "-c", "held = bytearray(80 << 20)"];
    expect(await vm.exec(unit)).toMatchObject({ code: 1, stderr: expect.stringContaining("oom-kill") });
  });

  test("its clock is as far off as the test wants", async () => {
    expect(Math.abs((await secondsAhead()) + 300)).toBeLessThan(20);
    await vm.setClockOffset(300_000);
    expect(Math.abs((await secondsAhead()) - 300)).toBeLessThan(20);
  });

  test("it reboots with its disk and a new boot id", async () => {
    const before = await vm.bootId();
    await vm.read("echo kept > /srv/note; sync");
    await vm.reboot();
    expect(await vm.bootId()).not.toBe(before);
    expect(await vm.read(["cat", "/srv/note"])).toBe("kept\n");
  });

  test("after a power cut it comes back; closed with the lab, it leaves nothing", async () => {
    await vm.powerOff({ hard: true });
    expect(vm.isOn()).toBe(false);
    await vm.powerOn();
    expect(await vm.read(["cat", "/srv/note"])).toBe("kept\n");
    await lab.close();
    expect(Object.values(lab.leftovers()).flat()).toEqual([]);
  });
});
