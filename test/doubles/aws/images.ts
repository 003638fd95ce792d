/**
 * The images that the double's regions have. Owners and name forms:
 * - Debian 136693071363, `debian-12-amd64-20250316-2053`: https://wiki.debian.org/Cloud/AmazonEC2Image/Bookworm
 * - Canonical 099720109477, `ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250305` (gp3 since 23.10, `hvm-ssd`
 *   before): https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/
 */
import { createHash } from "node:crypto";
import { answer, errorAnswer } from "./ec2-answers.ts";
import { type Ec2Call, filtersOf, listOf } from "./ec2-call.ts";

export interface Image {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly architecture: "x86_64" | "arm64";
  /** ISO 8601, with ms as the cloud gives it. */
  readonly creationDate: string;
  readonly rootDeviceName: string;
  /** GiB. */
  readonly rootSize: number;
}

const debian = "136693071363";
const canonical = "099720109477";

/** Two builds of each, so that "the most recent" is a choice. */
const builds: readonly Omit<Image, "id">[] = (["amd64", "arm64"] as const).flatMap((arch) => {
  const architecture: Image["architecture"] = arch === "amd64" ? "x86_64" : "arm64";
  const debianImage = (name: string, creationDate: string) => ({
    owner: debian,
    name,
    architecture,
    creationDate,
    rootDeviceName: "/dev/xvda",
    rootSize: 8,
  });
  const ubuntuImage = (name: string, creationDate: string) => ({
    owner: canonical,
    name,
    architecture,
    creationDate,
    rootDeviceName: "/dev/sda1",
    rootSize: 8,
  });
  return [
    debianImage(`debian-12-${arch}-20250115-1993`, "2025-01-15T21:11:04.000Z"),
    debianImage(`debian-12-${arch}-20250316-2053`, "2025-03-16T21:12:32.000Z"),
    debianImage(`debian-13-${arch}-20250814-2204`, "2025-08-14T20:14:21.000Z"),
    debianImage(`debian-13-${arch}-20251006-2257`, "2025-10-06T20:15:47.000Z"),
    ubuntuImage(`ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-${arch}-server-20250305`, "2025-03-05T08:07:09.000Z"),
    ubuntuImage(`ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-${arch}-server-20250115`, "2025-01-15T06:09:38.000Z"),
    ubuntuImage(`ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-${arch}-server-20250305`, "2025-03-05T08:22:44.000Z"),
  ];
});

/** The region's images; ids differ by region, as the cloud's do. */
export function imagesOf(region: string): Image[] {
  return builds.map((build) => {
    const hash = createHash("sha256").update(`${region} ${build.name}`).digest("hex");
    return { id: `ami-${hash.slice(0, 17)}`, ...build };
  });
}

/** Filters of DescribeImages (API reference) as far as the double knows them; `*` and `?` stand for any characters and any one. */
const filterable: Readonly<Record<string, (image: Image) => string>> = {
  name: ({ name }) => name,
  architecture: ({ architecture }) => architecture,
  "owner-id": ({ owner }) => owner,
  "image-id": ({ id }) => id,
  "creation-date": ({ creationDate }) => creationDate,
  "root-device-name": ({ rootDeviceName }) => rootDeviceName,
  state: () => "available",
  "root-device-type": () => "ebs",
  "virtualization-type": () => "hvm",
  "image-type": () => "machine",
  "is-public": () => "true",
  hypervisor: () => "xen",
};

/** What DescribeImages says, with its HTTP status. */
export function describeImages(call: Ec2Call): { status: number; body: string } {
  const ids = listOf(call.parameters, "ImageId");
  const owners = listOf(call.parameters, "Owner");
  const filters = [...filtersOf(call.parameters)];
  const unknown = filters.find(([name]) => filterable[name] === undefined);
  if (unknown !== undefined) {
    return { status: 400, body: errorAnswer("InvalidParameterValue", `The double of DescribeImages knows no filter '${unknown[0]}'`) };
  }
  const all = imagesOf(call.region);
  const missing = ids.find((id) => !all.some((image) => image.id === id));
  if (missing !== undefined) {
    return { status: 400, body: errorAnswer("InvalidAMIID.NotFound", `The image id '[${missing}]' does not exist`) };
  }
  const found = all.filter(
    (image) =>
      (ids.length === 0 || ids.includes(image.id)) &&
      (owners.length === 0 || owners.includes(image.owner)) &&
      filters.every(([name, values]) => values.some((value) => pattern(value).test(filterable[name]?.(image) ?? ""))),
  );
  return { status: 200, body: answer("DescribeImages", `<imagesSet>${found.map(item).join("")}</imagesSet>`) };
}

function pattern(value: string): RegExp {
  const escaped = value.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
}

function item(image: Image): string {
  const volume = `<ebs><volumeSize>${image.rootSize}</volumeSize><volumeType>gp3</volumeType><deleteOnTermination>true</deleteOnTermination><encrypted>false</encrypted></ebs>`;
  const fields: Record<string, string> = {
    imageId: image.id,
    imageLocation: `${image.owner}/${image.name}`,
    imageState: "available",
    imageOwnerId: image.owner,
    creationDate: image.creationDate,
    isPublic: "true",
    architecture: image.architecture,
    imageType: "machine",
    name: image.name,
    rootDeviceType: "ebs",
    rootDeviceName: image.rootDeviceName,
    blockDeviceMapping: `<item><deviceName>${image.rootDeviceName}</deviceName>${volume}</item>`,
    virtualizationType: "hvm",
    hypervisor: "xen",
    enaSupport: "true",
    sriovNetSupport: "simple",
    platformDetails: "Linux/UNIX",
  };
  return `<item>${Object.entries(fields)
    .map(([name, value]) => `<${name}>${value}</${name}>`)
    .join("")}</item>`;
}
