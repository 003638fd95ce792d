import type { Instance } from "@aws-sdk/client-ec2";
import { expect, it } from "vitest";
import { listedMachine, statusOf } from "./list.ts";
import { awsProvider } from "./pool.ts";

/** In the form of DescribeInstances. */
const instance = (over: Partial<Instance> = {}): Instance => ({
  InstanceId: "i-0abc",
  InstanceType: "t4g.small",
  Architecture: "arm64",
  InstanceLifecycle: "spot",
  LaunchTime: new Date("2026-03-02T10:00:00Z"),
  Placement: { AvailabilityZone: "eu-central-1b" },
  PrivateIpAddress: "10.203.16.9",
  PublicIpAddress: "192.0.2.9",
  State: { Code: 16, Name: "running" },
  Tags: [
    { Key: "spillway:environment-id", Value: "e-1" },
    { Key: "spillway:pool", Value: "aws" },
    { Key: "spillway:node", Value: "burst-1-a" },
    { Key: "spillway:burst", Value: "b-1" },
    { Key: "Name", Value: "whatever" },
  ],
  ...over,
});
const listed = (over: Partial<Instance> = {}) => listedMachine(instance(over), "eu-central-1")[0];

it("lists a machine by its tags, with the credential of whoever asks", () => {
  expect(listed()).toEqual({
    environmentId: "e-1",
    burst: "b-1",
    status: "running",
    madeAt: Date.parse("2026-03-02T10:00:00Z"),
    machine: {
      name: "burst-1-a",
      pool: "aws",
      provider: "aws",
      providerId: "i-0abc",
      host: "192.0.2.9",
      port: 22,
      user: "spillway",
      credential: { kind: "agent" },
      labels: {},
      attributes: { cloud: "aws", region: "eu-central-1", zone: "eu-central-1b", instanceType: "t4g.small", market: "spot", arch: "arm64" },
      burst: "b-1",
    },
  });
});

it("tells a machine's age by what it was made with, since its start is that of the last time", () => {
  const made = new Date("2026-01-01T00:00:00Z");
  expect(listed({ NetworkInterfaces: [{ Attachment: { AttachTime: made } }] })?.madeAt).toBe(made.getTime());
  const disks = [{ Ebs: { AttachTime: made } }, { Ebs: { AttachTime: new Date("2026-05-01T00:00:00Z") } }];
  expect(listed({ BlockDeviceMappings: disks })?.madeAt).toBe(made.getTime());
});

it("reaches a machine without a public address at its private one", () => {
  const { PublicIpAddress: _, ...inside } = instance();
  expect(listedMachine(inside, "eu-central-1")[0]?.machine.host).toBe("10.203.16.9");
});

it("lists no machine that has ended, and none of nobody's", () => {
  expect(listed({ State: { Name: "terminated" } })).toBeUndefined();
  expect(listed({ Tags: [] })).toBeUndefined();
});

it.each([
  ["pending", "running"],
  ["running", "running"],
  ["stopping", "stopped"],
  ["stopped", "stopped"],
  ["shutting-down", "stopped"],
  ["terminated", "gone"],
] as const)("takes %s for %s", (state, status) => {
  expect(statusOf(state)).toBe(status);
});

it("ends a machine from within by switching it off, as root or by sudo", () => {
  const machine = listed()?.machine;
  if (machine === undefined) throw new Error("it was not listed");
  expect(awsProvider.endCommand(machine)).toEqual([
    "/bin/sh",
    "-c",
    '[ "$(id -u)" = 0 ] && exec systemctl poweroff\nexec sudo -n systemctl poweroff',
  ]);
});
