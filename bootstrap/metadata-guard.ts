/**
 * Instance metadata is for the agent alone: a task that reads it could learn what the machine was born with, or speak to
 * the cloud in the machine's name. The kernel refuses the way there to every user but root, by a routing rule, which every
 * system with iproute2 has and which needs no packet filter. Tasks are never root.
 */
import type { InstallLayout } from "../agent/contract/install-layout.ts";
import type { InstalledFile } from "./context.ts";

/** The addresses by which EC2 and Azure serve it (EC2 User Guide, "Instance metadata service"; Azure "Instance Metadata Service"). */
const addresses = { v4: "169.254.169.254", v6: "fd00:ec2::254" };
/** Before the main table's (32766), after the local one's (0). */
const priority = 100;

/** Written before the agent starts: it starts no task, nor itself, where the rule can't be made. */
export function metadataGuard(layout: InstallLayout): InstalledFile[] {
  return [
    { path: `${layout.unitFile("agent")}.d/metadata.conf`, mode: "644", content: `[Service]\nExecStartPre=+/bin/sh -c '${ruleScript}'\n` },
    // Else a restart of networkd takes away the rules that are not its own (networkd.conf(5)).
    {
      path: "/etc/systemd/networkd.conf.d/spillway.conf",
      mode: "644",
      content: "[Network]\nManageForeignRoutingPolicyRules=no\n",
      live: true,
    },
  ];
}

/** Without quotes and dollars, which systemd would read. */
const ruleScript = [
  "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
  ruleOf("ip", addresses.v4),
  // A kernel without IPv6 has no way there either.
  `if ip -6 rule show >/dev/null 2>&1; then ${ruleOf("ip -6", addresses.v6)}; fi`,
].join("; ");

function ruleOf(ip: string, address: string): string {
  return `${ip} rule show priority ${priority} | grep -q ${address} || ${ip} rule add priority ${priority} to ${address} uidrange 1-4294967294 prohibit || exit 1`;
}
