import { expect, it } from "vitest";
import { identityFor, isSameIdentity, machineFacts } from "./machine-facts.ts";

const answer = [
  "time=1700000000.500000000",
  "root=",
  "os=Linux",
  "arch=x86_64",
  "osName=Debian GNU/Linux 12 (bookworm)",
  "libc=glibc 2.36",
  "rights=sudo",
  "systemd=252",
  "diskFreeKiB=2048000",
  "memoryKiB=1024000",
  "missing=tar",
  "missing=cmp",
  "sha256=shasum -a 256",
  'identity={"environmentId":"e-1","environment":"prod","machine":"rack-a"}',
].join("\n");
const at = 1_700_000_000_500;

it("reads a host's answer, in MiB and ms", () => {
  expect(machineFacts(answer, at - 100, at + 100)).toEqual({
    root: "",
    os: "linux",
    osName: "Debian GNU/Linux 12 (bookworm)",
    arch: "x64",
    libc: { kind: "glibc", version: "2.36" },
    rights: "sudo",
    systemd: 252,
    diskFreeMiB: 2000,
    memoryMiB: 1000,
    clockSkewMs: 0,
    missingTools: ["tar", "cmp"],
    sha256: ["shasum", "-a", "256"],
    identity: { environmentId: "e-1", environment: "prod", machine: "rack-a" },
  });
});

it("takes what is no POSIX shell's answer for none", () => {
  expect(machineFacts("Welcome to RouterOS\n", at, at)).toBeUndefined();
});

it("tells a clock that is ahead or behind, by the nearer of question and answer", () => {
  expect(machineFacts(answer, at - 60_000, at - 50_000)?.clockSkewMs).toBe(50_000);
  expect(machineFacts(answer, at + 2000, at + 3000)?.clockSkewMs).toBe(-2000);
});

it("does not blame a clock for telling whole seconds only", () => {
  const coarse = answer.replace(".500000000", ".%N");
  expect(machineFacts(coarse, at + 300, at + 400)?.clockSkewMs).toBe(0);
});

it("believes no rights that it does not know", () => {
  expect(machineFacts(answer.replace("rights=sudo", "rights=all"), at, at)?.rights).toBe("none");
});

it("takes a torn identity file for none", () => {
  expect(machineFacts(answer.replace(/identity=.*/, 'identity={"environmentId":'), at, at)?.identity).toBeUndefined();
});

it("reads the burst that took the machine", () => {
  const identity = { environmentId: "e-1", environment: "prod", machine: "b-1-1", burst: "b-1" };
  const taken = answer.replace(/identity=.*/, `identity=${JSON.stringify(identity)}`);
  expect(machineFacts(taken, at, at)?.identity).toEqual(identity);
});

it("tells machines apart by environment, name and burst, and not by the environment's name", () => {
  const one = { environmentId: "e-1", environment: "prod", machine: "b-1-1", burst: "b-1" };
  expect(isSameIdentity(one, { ...one, environment: "production" })).toBe(true);
  for (const other of [{ environmentId: "e-2" }, { machine: "b-1-2" }, { burst: "b-2" }, { burst: undefined }])
    expect(isSameIdentity(one, { ...one, ...other })).toBe(false);
});

it("gives a machine the identity of its environment, where that is known", () => {
  const whose = { environmentId: "e-1", environment: "prod" };
  expect(identityFor({ name: "rack-a" }, whose)).toEqual({ ...whose, machine: "rack-a" });
  expect(identityFor({ name: "b-1-1", burst: "b-1" }, whose)).toEqual({ ...whose, machine: "b-1-1", burst: "b-1" });
  expect(identityFor({ name: "rack-a" }, { ...whose, environmentId: undefined })).toBeUndefined();
});

it("reads init, control groups, SELinux, proxy, disks and GPUs, and believes no words it does not know", () => {
  const more = [
    "openrc=0.45.2",
    "init=init",
    "cgroup=hybrid",
    "selinux=permissive",
    "proxy=https_proxy=http://proxy:3128",
    "proxy=no_proxy=10.0.0.0/8",
    "disk=1048576 524288 /",
    "disk=nonsense",
    "gpu=NVIDIA A100",
    "gpu=NVIDIA A100",
  ];
  expect(machineFacts([answer, ...more].join("\n"), at, at)).toMatchObject({
    openrc: "0.45.2",
    init: "init",
    cgroup: "hybrid",
    selinux: "permissive",
    proxy: { address: "http://proxy:3128", bypass: ["10.0.0.0/8"] },
    disks: [{ path: "/", sizeMiB: 1024, freeMiB: 512 }],
    gpus: ["NVIDIA A100", "NVIDIA A100"],
  });
  const odd = machineFacts(`${answer}\ncgroup=v9\nselinux=maybe`, at, at);
  expect([odd?.cgroup, odd?.selinux]).toEqual([undefined, undefined]);
});
