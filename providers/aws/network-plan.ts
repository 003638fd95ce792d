/** What a network in AWS is to be, before anything is made: its blocks of addresses and whom it lets in. Pure. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { CloudNetworkSpec } from "../cloud-machine.ts";

/** Private (RFC 1918), and seldom somebody's own network; nothing routes between this and another one. */
export const vpcBlock = "10.203.0.0/16";

/** One direction's rule as both a security group and its reader know it. `self` is whoever bears the group. */
export interface LetIn {
  readonly protocol: "tcp";
  readonly fromPort: number;
  readonly toPort: number;
  readonly description: string;
  readonly cidrBlocks?: string[];
  readonly ipv6CidrBlocks?: string[];
  readonly self?: boolean;
}

/** Whether it is one of the region's own zones (`eu-central-1a`); a local zone has more in its name (`us-west-2-lax-1a`). */
export function isPlainZone(zone: string, region: string): boolean {
  return zone.startsWith(region) && /^[a-p]$/.test(zone.slice(region.length));
}

/**
 * The block of a zone's subnet, 4,091 machines' worth (AWS keeps five addresses of each subnet). It is told by the zone's
 * letter and not by its place in a list, so that one more zone moves no other. Throws `aws-zone-unknown`.
 */
export function subnetBlock(zone: string, region: string): string {
  if (!isPlainZone(zone, region)) {
    throw new SpillwayError(`"${zone}" is no zone of the region ${region}`, {
      code: "aws-zone-unknown",
      where: `AWS ${region}`,
      hint: `Write a zone such as ${region}a; local zones are not available in this version.`,
    });
  }
  return `10.203.${(zone.charCodeAt(zone.length - 1) - "a".charCodeAt(0)) * 16}.0/20`;
}

/** Throws `ssh-open-to-all` when SSH would be let in from everywhere and nobody has said that this is meant. */
export function letIn({ sshFrom, isOpenOnPurpose = false, masterPort, masterFrom, region }: CloudNetworkSpec): LetIn[] {
  const open = sshFrom.find((block) => /\/0+$/.test(block.trim()));
  if (open !== undefined && !isOpenOnPurpose) {
    throw new SpillwayError(`SSH would be let in from everywhere (${open})`, {
      code: "ssh-open-to-all",
      where: `AWS ${region}`,
      hint: "Write the blocks of addresses that you and your burster come from, e.g. 198.51.100.7/32.",
    });
  }
  const ssh = sshFrom.length === 0 ? [] : [rule(22, "SSH of the operator", sshFrom)];
  if (masterPort === undefined) return ssh;
  return [...ssh, { ...rule(masterPort, "agents and people to the master", masterFrom), self: true }];
}

function rule(port: number, description: string, blocks: readonly string[]): LetIn {
  const [v6, v4] = [blocks.filter((block) => block.includes(":")), blocks.filter((block) => !block.includes(":"))];
  return {
    protocol: "tcp",
    fromPort: port,
    toPort: port,
    description,
    ...(v4.length === 0 ? {} : { cidrBlocks: v4 }),
    ...(v6.length === 0 ? {} : { ipv6CidrBlocks: v6 }),
  };
}
