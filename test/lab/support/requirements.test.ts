import { expect, test } from "vitest";
import { type LabMachine, labMissing } from "./requirements.ts";

const able: LabMachine = {
  platform: "linux",
  arch: "x64",
  uid: 0,
  hasProgram: () => true,
  hasFile: () => true,
  install: () => "not asked for",
};
const without = (...names: string[]) => ({ ...able, hasProgram: (name: string) => !names.includes(name) });

test("nothing is missing for root on Linux with all programs", () => {
  expect(labMissing({ install: false }, able)).toBeUndefined();
});

test("another system, another user, another kernel: each is told", () => {
  expect(labMissing({ install: true }, { ...able, platform: "darwin" })).toContain("need Linux");
  expect(labMissing({ install: true }, { ...able, uid: 1000 })).toContain("need root");
  expect(labMissing({ install: true }, { ...able, hasFile: (path) => path === "/dev/net/tun" })).toContain("control groups");
});

test("missing programs are named with their packages, and installed only when that was asked for", () => {
  const sentence = "mmdebstrap, ssh, ssh-keygen are not installed: apt-get install mmdebstrap openssh-client (--install installs it)";
  const asked: string[] = [];
  const here = {
    ...without("mmdebstrap", "ssh", "ssh-keygen"),
    install: (packages: readonly string[]) => {
      asked.push(...packages);
      return undefined;
    },
  };
  expect(labMissing({ install: false }, here)).toBe(sentence);
  expect(asked).toEqual([]);
  expect(labMissing({ install: true }, here)).toBeUndefined();
  expect(asked).toEqual(["mmdebstrap", "openssh-client"]);
});
