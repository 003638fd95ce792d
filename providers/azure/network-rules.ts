/** Who is let in to the machines of a network, as rules of a network security group; pure. */
import { isIPv4 } from "node:net";
import type { network } from "@pulumi/azure-native/types/input.js";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { CloudNetworkSpec } from "../cloud-machine.ts";

type Rule = Pick<
  network.SecurityRuleArgs,
  "name" | "priority" | "direction" | "access" | "protocol" | "sourceAddressPrefix" | "sourceAddressPrefixes" | "destinationPortRange"
> & { readonly priority: number; readonly name: string };

type LetIn = Pick<CloudNetworkSpec, "sshFrom" | "isOpenOnPurpose" | "masterPort" | "masterFrom">;

/**
 * The first rule that fits decides, the lowest number first; Azure's own (65000 and above) let the network's machines reach
 * each other and keep everyone else out. SSH is for `sshFrom` only, so it is kept from the network's other machines too: a
 * task on one of them has no business there.
 *
 * Throws `ssh-open-to-all` when `sshFrom` holds everyone and nobody has said that this is meant.
 */
export function securityRules({ sshFrom, isOpenOnPurpose = false, masterPort, masterFrom }: LetIn): Rule[] {
  const everyone = sshFrom.find((block) => block === "*" || block.toLowerCase() === "internet" || /\/0+$/.test(block));
  if (everyone !== undefined && !isOpenOnPurpose) {
    throw new SpillwayError(`SSH would be open to everyone (${everyone})`, {
      code: "ssh-open-to-all",
      where: "the network at Azure",
      hint: "Write the blocks that you dial from, e.g. 203.0.113.7/32.",
    });
  }
  const rules: Rule[] = [];
  const ssh = ipv4(sshFrom);
  if (ssh.length > 0) rules.push({ ...inbound("ssh", 100, "Allow", "22"), sourceAddressPrefixes: ssh });
  rules.push({ ...inbound("ssh-for-nobody-else", 110, "Deny", "22"), sourceAddressPrefix: "*" });
  if (masterPort !== undefined) {
    const port = String(masterPort);
    const from = ipv4(masterFrom);
    rules.push({ ...inbound("master-from-network", 200, "Allow", port), sourceAddressPrefix: "VirtualNetwork" });
    if (from.length > 0) rules.push({ ...inbound("master", 210, "Allow", port), sourceAddressPrefixes: from });
  }
  // Azure's last rule says it as well; here a person sees it, and a rule that someone adds below changes nothing.
  rules.push({ ...inbound("nothing-else", 4096, "Deny", "*"), protocol: "*", sourceAddressPrefix: "Internet" });
  return rules;
}

function inbound(name: string, priority: number, access: "Allow" | "Deny", port: string) {
  return { name, priority, direction: "Inbound", access, protocol: "Tcp", destinationPortRange: port } as const;
}

/** The network has IPv4 only, and one rule may not mix the two families. */
function ipv4(blocks: readonly string[]): string[] {
  return blocks.filter((block) => isIPv4(block.split("/")[0] ?? ""));
}
