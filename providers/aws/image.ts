/** The image that a machine of AWS starts from: one by its id, or the newest of a distribution as its makers publish it. */
import { getAmiOutput } from "@pulumi/aws/ec2/getAmi.js";
import * as pulumi from "@pulumi/pulumi";
import type { CloudMachineSpec, Distribution } from "../cloud-machine.ts";
import { awsInvoke } from "./region.ts";

/**
 * Whose images they are and how they are named, in AWS's public partition (China and GovCloud have other owners).
 * Debian: https://wiki.debian.org/Cloud/AmazonEC2Image/Bookworm; Canonical:
 * https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/. An image is whoever's account it is in;
 * its name alone proves nothing.
 */
const published: Readonly<Record<Distribution, { readonly owner: string; readonly name: (arch: "amd64" | "arm64") => string }>> = {
  "debian-12": { owner: "136693071363", name: (arch) => `debian-12-${arch}-*` },
  "ubuntu-24.04": { owner: "099720109477", name: (arch) => `ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-${arch}-server-*` },
};

/** How `getAmi` is asked for the newest; pure. */
export function imageQuery(distribution: Distribution, arch: CloudMachineSpec["arch"]) {
  const { owner, name } = published[distribution];
  return {
    owners: [owner],
    mostRecent: true,
    filters: [
      { name: "name", values: [name(arch === "x64" ? "amd64" : "arm64")] },
      { name: "architecture", values: [arch === "x64" ? "x86_64" : "arm64"] },
      { name: "virtualization-type", values: ["hvm"] },
      { name: "root-device-type", values: ["ebs"] },
    ],
  };
}

/** Its id. An id that was asked for is not looked at: whether it is there and fits is AWS's word when the machine is made. */
export function awsImage(
  { image, arch, region }: Pick<CloudMachineSpec, "image" | "arch" | "region">,
  options: pulumi.CustomResourceOptions = {},
): pulumi.Output<string> {
  if ("id" in image) return pulumi.output(image.id);
  return getAmiOutput(imageQuery(image.distribution, arch), awsInvoke(region, options)).apply(({ id }) => id);
}
