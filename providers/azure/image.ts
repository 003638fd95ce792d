/** What a machine's disk begins with; pure. */
import type { compute } from "@pulumi/azure-native/types/input.js";
import type { CloudMachineSpec, Distribution } from "../cloud-machine.ts";

/**
 * Generation 2 images of both architectures, made by the distributions themselves: Debian's `debian-12` (`12-gen2`,
 * `12-arm64`), Canonical's `ubuntu-24_04-lts` (`server`, `server-arm64`; its page "Find Ubuntu images on Azure"). Both
 * bring cloud-init, which reads the custom data.
 */
const images: Readonly<Record<Distribution, { publisher: string; offer: string; sku: Record<CloudMachineSpec["arch"], string> }>> = {
  "debian-12": { publisher: "Debian", offer: "debian-12", sku: { x64: "12-gen2", arm64: "12-arm64" } },
  "ubuntu-24.04": { publisher: "Canonical", offer: "ubuntu-24_04-lts", sku: { x64: "server", arm64: "server-arm64" } },
};

/**
 * The image of a wish. `latest` is resolved by Azure when the machine is made; from then on the reference is ignored, so a
 * newer image replaces no machine. An image by id (of a gallery, or a managed image) is taken as it is.
 */
export function imageReference({ image, arch }: Pick<CloudMachineSpec, "image" | "arch">): compute.ImageReferenceArgs {
  if ("id" in image) return { id: image.id };
  const { publisher, offer, sku } = images[image.distribution];
  return { publisher, offer, sku: sku[arch], version: "latest" };
}

type Secured = Pick<CloudMachineSpec, "image" | "arch"> & { readonly instanceType: string };

/**
 * Trusted Launch (secure boot, a virtual TPM; no extra cost) where image and size can: Debian 12 and Ubuntu Server can on
 * both architectures; Arm sizes from the sixth generation on; not the M family and ND A100 (Microsoft's page "Trusted Launch
 * for Azure virtual machines"). Of an image by id it is not known, and a machine that is refused helps nobody.
 *
 * NVIDIA's drivers are not signed for Debian's kernels, so with a GPU secure boot is off (same page).
 */
export function securityProfile(spec: Secured): compute.SecurityProfileArgs | undefined {
  if ("id" in spec.image || !canTrustedLaunch(spec.instanceType, spec.arch)) return undefined;
  return { securityType: "TrustedLaunch", uefiSettings: { secureBootEnabled: !isGpuSize(spec.instanceType), vTpmEnabled: true } };
}

export function canTrustedLaunch(instanceType: string, arch: CloudMachineSpec["arch"]): boolean {
  if (arch === "arm64") return Number(/_v(\d+)$/.exec(instanceType)?.[1] ?? 1) >= 6;
  return !/^Standard_(M\d|ND\w*(A100|asr_v4))/.test(instanceType);
}

/** Sizes of the N family: NC, ND, NG, NV (Azure's naming conventions for sizes). */
function isGpuSize(instanceType: string): boolean {
  return /^Standard_N[CDGV]/.test(instanceType);
}
