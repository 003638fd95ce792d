import { expect, it } from "vitest";
import { type Expectations, findingsOf } from "./findings.ts";
import type { MachineFacts } from "./machine-facts.ts";

const good: MachineFacts = {
  root: "",
  os: "linux",
  osName: "Debian GNU/Linux 12 (bookworm)",
  arch: "x64",
  libc: { kind: "glibc", version: "2.36" },
  rights: "sudo",
  systemd: 252,
  diskFreeMiB: 5000,
  memoryMiB: 4000,
  clockSkewMs: 0,
  missingTools: [],
  sha256: ["sha256sum"],
};

function against(facts: Partial<MachineFacts>, expected: Partial<Expectations> = {}): string[] {
  return findingsOf({ ...good, ...facts }, { user: "ops", linked: false, ...expected }).flatMap(({ ok, found }) => (ok ? [] : [found]));
}

it("has nothing against a host with systemd, glibc, sudo and room", () => {
  expect(against({})).toEqual([]);
  expect(against({ arch: "arm64", rights: "root" })).toEqual([]);
});

it("names everything that is wrong at once", () => {
  expect(
    against({ libc: { kind: "musl", version: "" }, rights: "none", diskFreeMiB: 212, missingTools: ["tar"], clockSkewMs: 300_000 }),
  ).toEqual([
    "its C library is musl; the bundle's Node needs glibc",
    "its user ops may not use sudo without a password",
    "212 MiB free on its disk, 600 MiB needed",
    "its clock is 300.0 s ahead of this computer's",
    "it lacks tar",
  ]);
});

it("asks only for a system and some disk where the machine's own Node is linked", () => {
  const { systemd: _, ...withoutSystemd } = good;
  const mac: MachineFacts = {
    ...withoutSystemd,
    root: "/m",
    os: "darwin",
    arch: "arm64",
    libc: { kind: "unknown", version: "" },
    rights: "none",
    diskFreeMiB: 100,
  };
  expect(findingsOf(mac, { user: "u", linked: true }).filter(({ ok }) => !ok)).toEqual([]);
});

it.each([
  [{ arch: "riscv64" }, "its processor is riscv64; there are bundles for x64 and arm64"],
  [{ libc: { kind: "glibc", version: "2.17" } as const }, "its C library is glibc 2.17; the bundle's Node needs 2.28"],
  [{ systemd: 219 }, "its systemd is 219; 247 or newer is needed"],
  [{ rights: "no-sudo" as const }, "its user ops is not root, and there is no sudo"],
  [{ memoryMiB: 128 }, "it has 128 MiB of memory, 256 MiB are needed"],
  [{ clockSkewMs: -31_000 }, "its clock is 31.0 s behind this computer's"],
  [{ sha256: [] }, "it lacks sha256sum"],
])("refuses %j", (facts, sentence) => {
  expect(against(facts)).toEqual([sentence]);
});

it("warns of a clock that is a little off, and goes on", () => {
  const clock = findingsOf({ ...good, clockSkewMs: 1500 }, { user: "ops", linked: false }).find(({ name }) => name === "clock");
  expect(clock).toMatchObject({
    ok: true,
    found: "its clock is 1.5 s ahead of this computer's",
    hint: expect.stringContaining("timedatectl"),
  });
});

it("leaves a machine of another environment alone", () => {
  const identity = { environmentId: "e-1", environment: "prod", machine: "rack-a" };
  expect(against({ identity }, { environmentId: "e-2" })).toEqual(['it belongs to the environment "prod" (e-1) as rack-a']);
  expect(against({ identity }, { environmentId: "e-1" })).toEqual([]);
});

it("refuses a taken port, and a machine that can't dial the master", () => {
  const dials = { to: "https://pool:7070", problem: "No route to host" };
  expect(against({}, { port: { number: 7070, inUse: true }, dials })).toEqual([
    "port 7070 is in use by another program",
    "it can't dial the master at https://pool:7070: No route to host",
  ]);
});

it("takes a host whose services OpenRC starts, and says what tasks lack there", () => {
  const { systemd: _, ...withoutSystemd } = good;
  const findings = findingsOf({ ...withoutSystemd, openrc: "0.45.2", init: "init" }, { user: "ops", linked: false });
  expect(findings.filter(({ ok }) => !ok)).toEqual([]);
  expect(findings.find(({ name }) => name === "init")?.found).toBe("OpenRC 0.45.2");
  expect(findings.find(({ name }) => name === "task limits")?.found).toContain("accounted only");
});

it("refuses a host with another init by its name", () => {
  const { systemd: _, ...withoutSystemd } = good;
  const sentences = findingsOf({ ...withoutSystemd, init: "runit" }, { user: "ops", linked: false }).filter(({ ok }) => !ok);
  expect(sentences.map(({ found }) => found)).toEqual(["its init is runit, without systemd or OpenRC, one of which is needed on a host"]);
});

it("tells control groups, SELinux, disks and GPUs of a host", () => {
  const disks = [{ path: "/", sizeMiB: 20_480, freeMiB: 10_240 }];
  const told = findingsOf(
    { ...good, cgroup: "v2", selinux: "enforcing", disks, gpus: ["NVIDIA A100", "NVIDIA A100", "AMD"] },
    { user: "ops", linked: false },
  );
  const found = Object.fromEntries(told.map((finding) => [finding.name, finding.found]));
  expect(found).toMatchObject({
    "control groups": "version 2",
    SELinux: expect.stringMatching(/^enforcing/),
    disks: "/ 10 GiB free of 20 GiB",
    GPUs: "2 × NVIDIA A100, AMD",
  });
  expect(told.every(({ ok }) => ok)).toBe(true);
});

it("warns when a proxy stands between host and master, since agents dial past it", () => {
  const dials = { to: "https://pool.example:7070", problem: undefined };
  const proxyOf = (bypass: string[]) =>
    findingsOf({ ...good, proxy: { address: "http://proxy:3128", bypass } }, { user: "ops", linked: false, dials }).find(
      ({ name }) => name === "HTTP proxy",
    );
  expect(proxyOf([])).toMatchObject({ ok: true, found: "http://proxy:3128", hint: expect.stringContaining("directly, past that proxy") });
  expect(proxyOf([".example"])).toEqual({ name: "HTTP proxy", ok: true, found: "http://proxy:3128" });
});
