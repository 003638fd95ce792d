import { expect, it } from "vitest";
import { instanceArch } from "./instance-arch.ts";

it.each(["m7g.large", "c6gn.metal", "t4g.nano", "x2gd.xlarge", "is4gen.medium", "g5g.xlarge", "hpc7g.4xlarge"])(
  "%s of AWS is ARM",
  (type) => {
    expect(instanceArch("aws", type)).toBe("arm64");
  },
);

it.each(["m7i.large", "g4dn.xlarge", "r7iz.metal-16xl", "p5en.48xlarge", "u-6tb1.metal", "x2iedn.xlarge", "g6e.xlarge"])(
  "%s of AWS is not",
  (type) => {
    expect(instanceArch("aws", type)).toBe("x64");
  },
);

it.each([
  ["Standard_D2ps_v5", "arm64"],
  ["Standard_E4pds_v6", "arm64"],
  ["Standard_B2pts_v2", "arm64"],
  ["Standard_D2s_v5", "x64"],
  ["Standard_NC40ads_H100_v5", "x64"],
  ["Standard_E4-2ds_v5", "x64"],
  ["Standard_DC2ads_v5", "x64"],
])("%s of Azure is %s", (type, arch) => {
  expect(instanceArch("azure", type)).toBe(arch);
});
