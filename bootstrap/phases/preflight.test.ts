import { expect, it } from "vitest";
import type { Machine } from "../../agent/contract/machine.ts";
import type { MachineFacts } from "../context.ts";
import { machineProblems } from "./preflight.ts";

function someFacts(over: Partial<MachineFacts> = {}): MachineFacts {
  return { root: "", os: "linux", arch: "x64", libc: "glibc", diskFreeMiB: 5000, missingTools: [], sha256: ["sha256sum"], ...over };
}

function aMachine(over: Partial<Machine> = {}): { machine: Machine } {
  const credential = { kind: "file" as const, path: "/key" };
  const base = { name: "m1", pool: "p", provider: "local", providerId: "x", host: "127.0.0.1", port: 22, user: "u", credential };
  return { machine: { ...base, labels: {}, attributes: {}, ...over } };
}

it("has nothing against a linux x64 host with glibc and room", () => {
  expect(machineProblems(someFacts(), aMachine())).toEqual([]);
});

it("names everything that is wrong at once", () => {
  const problems = machineProblems(someFacts({ libc: "musl", diskFreeMiB: 212, missingTools: ["tar"] }), aMachine());
  expect(problems).toEqual([
    "its C library is musl; the bundle's Node needs glibc",
    "212 MiB free on its disk, 600 MiB needed",
    "it lacks tar",
  ]);
});

it("takes any libc, processor and macOS where the machine's own Node is linked", () => {
  const linked = aMachine({ nodeBinary: "/usr/bin/node" });
  expect(machineProblems(someFacts({ os: "darwin", arch: "arm64", libc: "musl", diskFreeMiB: 100 }), linked)).toEqual([]);
});

it("refuses an arm64 host, for which this version has no bundle", () => {
  expect(machineProblems(someFacts({ arch: "arm64" }), aMachine())).toEqual([
    "its processor is arm64; the bundle of this version is for x64",
  ]);
});
