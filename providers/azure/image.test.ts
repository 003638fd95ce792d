import { expect, it } from "vitest";
import { imageReference, securityProfile } from "./image.ts";

it.each([
  ["debian-12", "x64", { publisher: "Debian", offer: "debian-12", sku: "12-gen2", version: "latest" }],
  ["debian-12", "arm64", { publisher: "Debian", offer: "debian-12", sku: "12-arm64", version: "latest" }],
  ["ubuntu-24.04", "x64", { publisher: "Canonical", offer: "ubuntu-24_04-lts", sku: "server", version: "latest" }],
  ["ubuntu-24.04", "arm64", { publisher: "Canonical", offer: "ubuntu-24_04-lts", sku: "server-arm64", version: "latest" }],
] as const)("the newest %s for %s", (distribution, arch, reference) => {
  expect(imageReference({ image: { distribution }, arch })).toEqual(reference);
});

it("an image by id is taken as it is, and not trusted to boot securely", () => {
  const id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/ours/images/base/versions/1.2.0";
  expect(imageReference({ image: { id }, arch: "x64" })).toEqual({ id });
  expect(securityProfile({ image: { id }, arch: "x64", instanceType: "Standard_D2s_v5" })).toBeUndefined();
});

it.each([
  ["Standard_D2s_v5", "x64", true],
  ["Standard_E4-2ads_v5", "x64", true],
  ["Standard_D2ps_v5", "arm64", undefined],
  ["Standard_B2pls_v2", "arm64", undefined],
  ["Standard_D2pds_v6", "arm64", true],
  ["Standard_M64ms", "x64", undefined],
  ["Standard_ND96amsr_A100_v4", "x64", undefined],
  ["Standard_ND96asr_v4", "x64", undefined],
  ["Standard_NC24ads_A100_v4", "x64", false],
  ["Standard_NC4as_T4_v3", "x64", false],
] as const)("%s (%s) boots securely: %s", (instanceType, arch, secure) => {
  const profile = securityProfile({ image: { distribution: "debian-12" }, arch, instanceType });
  expect(profile).toEqual(
    secure === undefined ? undefined : { securityType: "TrustedLaunch", uefiSettings: { secureBootEnabled: secure, vTpmEnabled: true } },
  );
});
