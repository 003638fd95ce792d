/** The settings file that `spillway init` writes: what was answered, with comments that say what may be changed; pure. */
import type { CloudName } from "../../stacks/clouds.ts";
import type { CloudPlace, InitAnswers } from "./answers.ts";

/** What it finds on this computer, or was told. */
export interface OwnAccess {
  /** A private key file, as the settings name it; its .pub is put onto machines. */
  readonly key: string;
  /** The login on hosts of one's own. */
  readonly user: string;
  /** Whether OpenSSH keeps the keys of hosts here. */
  readonly knowsHosts: boolean;
}

/** YAML. It is not checked here: `parseSettings` has the last word. */
export function settingsText(environment: string, answers: InitAnswers, access: OwnAccess): string {
  const { machines, region } = answers;
  const place = machines === "aws" || machines === "azure" ? { cloud: machines, region: region ?? "" } : undefined;
  const parts = [
    `# The environment ${environment}. All that may be written here: docs/settings.md`,
    "config:",
    "  spillway:environment:",
    ...mastersLines(answers),
    "    pools:",
    ...poolLines(answers, access, place),
    ...burstLines(answers, access, place),
    ...(place === undefined && answers.burstIn === undefined ? [] : guardLines(place ?? (answers.burstIn as CloudPlace))),
  ];
  return `${parts.join("\n")}\n`;
}

const poolNames = { here: "m", hosts: "rack", aws: "base", azure: "base" } as const;

function mastersLines({ machines, hosts, burstIn }: InitAnswers): string[] {
  const pool = `    masters: { pool: ${poolNames[machines]} }   # its first machine carries the master`;
  if (burstIn === undefined) return [pool];
  const [first = ""] = hosts;
  return [
    "    masters:",
    `      pool: ${poolNames[machines]}   # its first host carries the master`,
    "      # By this URL machines in the cloud dial the master too: a name or address that is reached from there.",
    `      endpoint: ${JSON.stringify(`https://${first.includes(":") ? `[${first}]` : first}:7070`)}`,
  ];
}

function poolLines({ machines, hosts, count, sshFrom }: InitAnswers, access: OwnAccess, place: CloudPlace | undefined): string[] {
  if (place !== undefined) {
    return [
      "      base:",
      `        provider: ${place.cloud}`,
      `        region: ${place.region}`,
      `        instanceType: ${usualTypes[place.cloud]}`,
      `        count: ${count}`,
      ...accessLines(sshFrom, access, "        "),
      `        masterFrom: ${list(sshFrom)}   # who may dial the master: you, and agents of other networks`,
      "        disk: 20Gi",
    ];
  }
  if (machines === "here") return [`      m: { provider: local, count: ${count}, cpu: 2, memory: 4Gi, disk: 10Gi }`];
  return [
    "      rack:",
    "        provider: ssh",
    `        user: ${JSON.stringify(access.user)}   # root, or one that may use sudo (then sudoPassword: ask, if sudo wants one)`,
    `        key: ${JSON.stringify(access.key)}`,
    ...(access.knowsHosts
      ? ["        knownHosts: true   # the keys of hosts that ~/.ssh/known_hosts has; in a team write hostKey: SHA256:… at each host"]
      : [
          "        # Each host needs its hostKey: SHA256:… (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on it), or nothing is sent there.",
        ]),
    "        hosts:",
    ...hosts.map((host) => `          - { host: ${JSON.stringify(host)} }`),
  ];
}

const usualTypes: Readonly<Record<CloudName, string>> = { aws: "m7i.large", azure: "Standard_D2s_v5" };

function burstLines({ burstPerDay, burstIn, sshFrom }: InitAnswers, access: OwnAccess, place: CloudPlace | undefined): string[] {
  if (burstPerDay === 0) return ["    # Without `burst` the pool never grows, and nothing is ever bought."];
  const cloud = burstIn ?? place;
  const pool =
    cloud === undefined
      ? [
          "        # Machines of this computer; their price is made up and nobody is billed.",
          "        overflow: { provider: local, cpu: 2, memory: 4Gi, disk: 10Gi }",
        ]
      : [
          "        overflow:",
          `          provider: ${cloud.cloud}`,
          `          regions: [${cloud.region}]   # more of them: more to choose from, when one has run out`,
          "          market: [spot, on-demand]   # the cheapest counts; spot machines may be taken away again",
          "          types: { cpu: [2, 16] }",
          ...accessLines(sshFrom, access, "          "),
        ];
  return [
    "    burst:   # what does not fit is bought for a while, and goes again when it is idle",
    "      pools:",
    ...pool,
    `      maxNodes: ${cloud === undefined ? 4 : 10}   # machines that may exist or be on the way at a time`,
    `      budget: { perDay: ${burstPerDay} }   # USD; nothing is bought that would pass it`,
  ];
}

function accessLines(sshFrom: readonly string[], { key }: OwnAccess, indent: string): string[] {
  return [
    `${indent}sshFrom: ${list(sshFrom)}   # who may reach its machines by SSH`,
    `${indent}key: ${JSON.stringify(key)}   # its .pub is put onto each machine; in a team write authorizedKeys with everybody's`,
  ];
}

function guardLines({ region }: CloudPlace): string[] {
  return [
    "    guards:   # what nobody should write by accident; a rule is set aside by its name and a reason, which every `up` tells",
    `      regions: [${region}]   # there may be machines in these alone`,
  ];
}

function list(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(", ")}]`;
}
