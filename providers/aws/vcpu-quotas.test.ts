import type { Instance } from "@aws-sdk/client-ec2";
import { describe, expect, it } from "vitest";
import { freeVcpus, quotaFamilyOf, type RunningVcpus, runningVcpus } from "./vcpu-quotas.ts";

const standard = { "on-demand": "L-1216C47A", spot: "L-34B43A08" };
const p = { "on-demand": "L-417A185B", spotToP4: "L-7212CCBC", spotP5: "L-C4BD4855" };
const runs = (instanceType: string, vcpus: number, market: RunningVcpus["market"] = "on-demand") => ({ instanceType, vcpus, market });

it.each([
  ["m7i-flex.large", "Standard"],
  ["im4gn.large", "Standard"],
  ["is4gen.medium", "Standard"],
  ["d3en.xlarge", "Standard"],
  ["dl1.24xlarge", "DL"],
  ["g4dn.xlarge", "G and VT"],
  ["gr6.4xlarge", "G and VT"],
  ["vt1.3xlarge", "G and VT"],
  ["hpc7a.96xlarge", "HPC"],
  ["u-6tb1.metal", "High Memory"],
  ["u7i-12tb.224xlarge", "High Memory"],
  ["inf2.xlarge", "Inf"],
  ["p3dn.24xlarge", "P2-P4"],
  ["p5en.48xlarge", "P5"],
  ["p6-b200.48xlarge", "P6 and later"],
  ["trn1.2xlarge", "Trn"],
  ["x2iedn.xlarge", "X"],
  ["mac2.metal", undefined],
  ["constructor1.large", undefined],
])("counts %s against the quota of %s", (type, family) => {
  expect(quotaFamilyOf(type)).toBe(family);
});

describe("what is left of a quota", () => {
  it("is the quota without what runs of its family in its market", () => {
    const limits = new Map([
      [standard["on-demand"], 64],
      [standard.spot, 32],
    ]);
    const running = [
      runs("m7i.large", 2),
      runs("c7g.4xlarge", 16),
      runs("r7i.2xlarge", 8, "spot"),
      runs("g5.xlarge", 4),
      runs("mac2.metal", 8),
    ];
    expect(freeVcpus(limits, running)).toEqual({ Standard: { "on-demand": 46, spot: 24 } });
  });

  it("is nothing where more runs than may, as after a quota was lowered", () => {
    expect(freeVcpus(new Map([[standard.spot, 5]]), [runs("m7i.2xlarge", 8, "spot")])).toEqual({ Standard: { spot: 0 } });
  });

  it("is shared on demand by all of P, but not as spot", () => {
    const limits = new Map([
      [p["on-demand"], 400],
      [p.spotToP4, 100],
      [p.spotP5, 200],
    ]);
    expect(freeVcpus(limits, [runs("p5.48xlarge", 192), runs("p3.2xlarge", 8, "spot")])).toEqual({
      "P2-P4": { "on-demand": 208, spot: 92 },
      P5: { "on-demand": 208, spot: 200 },
      "P6 and later": { "on-demand": 208 },
    });
  });

  it("is not known of a quota that AWS does not tell", () => {
    expect(freeVcpus(new Map([["L-0263D0A3", 5]]), [])).toEqual({});
  });
});

describe("what runs", () => {
  const types = [{ InstanceType: "m7i.large" as const, VCpuInfo: { DefaultVCpus: 2 } }];

  it("counts with its type's vCPUs, also where some of them are switched off", () => {
    const instance: Instance = { InstanceType: "m7i.large", CpuOptions: { CoreCount: 1, ThreadsPerCore: 1 } };
    expect(runningVcpus([instance, { ...instance, InstanceLifecycle: "spot" }], types)).toEqual([
      runs("m7i.large", 2),
      runs("m7i.large", 2, "spot"),
    ]);
  });

  it("counts with its own where the type is not in the list", () => {
    const old: Instance = { InstanceType: "m1.xlarge", CpuOptions: { CoreCount: 4, ThreadsPerCore: 1 } };
    expect(runningVcpus([old], types)).toEqual([runs("m1.xlarge", 4)]);
  });

  it("leaves out dedicated hosts and capacity blocks, which have quotas of their own", () => {
    const instances: Instance[] = [
      { InstanceType: "m7i.large", Placement: { Tenancy: "host" } },
      { InstanceType: "m7i.large", InstanceLifecycle: "capacity-block" },
    ];
    expect(runningVcpus(instances, types)).toEqual([]);
  });

  it("leaves out machines of bursts, which whoever bought them counts", () => {
    const bought: Instance = { InstanceType: "m7i.large", Tags: [{ Key: "spillway:burst", Value: "b-1" }] };
    expect(runningVcpus([bought], types)).toEqual([]);
  });
});
