/** The hosts of a pool as the settings name them, each with what holds for the whole pool filled in; pure. */
import { z } from "zod";
import {
  type CredentialReference,
  credentialReference,
  jumpHost,
  type Machine,
  machine,
  type SecretReference,
  secretReference,
} from "../../agent/contract/machine.ts";
import type { Resources } from "../../agent/contract/resources.ts";
import { expandHostRange, isHostRange } from "./host-range.ts";
import { type JumpEntry, jumpChain, jumpChainOf } from "./jump-chain.ts";
import { type KnownHosts, knownKey } from "./known-hosts.ts";
import { sshProviderId } from "./pool.ts";
import type { SshConfig } from "./ssh-config.ts";

/** What may be said for a host, or for all hosts of the pool. */
export interface HostDefaults {
  readonly user?: string | undefined;
  readonly port?: number | undefined;
  readonly key?: KeyReference | undefined;
  readonly keyPassphrase?: WrittenSecret | undefined;
  readonly sudoPassword?: WrittenSecret | undefined;
  readonly trustOnFirstUse?: boolean | undefined;
  /** A name among the jump hosts. */
  readonly jump?: string | undefined;
  /** ms */
  readonly connectTimeout?: number | undefined;
  readonly site?: string | undefined;
  readonly price?: { readonly hourly: number } | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export type KeyReference = { readonly kind: "agent" } | { readonly kind: "file"; readonly path: string };
/** What is asked for is said by where it is written. */
export type WrittenSecret = Exclude<SecretReference, { kind: "ask" }> | { readonly kind: "ask" };

/** What is read of OpenSSH's own files for the hosts of a pool; settings win. */
export interface HostSources {
  readonly sshConfig?: SshConfig | undefined;
  readonly knownHosts?: KnownHosts | undefined;
}

export interface HostEntry extends HostDefaults {
  /** A name or address, or a range of them. */
  readonly host: string;
  readonly name?: string | undefined;
  /** SHA256:… */
  readonly hostKey?: string | undefined;
}

export interface WrittenPool extends HostDefaults, HostSources {
  readonly hosts: readonly HostEntry[];
}

/** A host with everything that holds for it. A schema, since it also travels through Pulumi's inputs and configuration files. */
export const inventoryHost = z.object({
  name: z.string(),
  host: z.string(),
  port: z.number().int(),
  user: z.string(),
  credential: credentialReference,
  hostKey: z.string().optional().describe("SHA256:…"),
  trustOnFirstUse: z.boolean(),
  jump: jumpHost.optional(),
  labels: z.record(z.string(), z.string()),
  site: z.string().optional(),
  price: z.object({ hourly: z.number().nonnegative() }).optional().describe("USD/hour, by its owner's own reckoning"),
  sudoPassword: secretReference.optional(),
  connectTimeoutMs: z.number().int().nonnegative().optional(),
});
export type InventoryHost = z.infer<typeof inventoryHost>;

const fallback = { user: "root", port: 22, key: { kind: "agent" } } as const;

export interface ListedHost {
  readonly host: InventoryHost;
  /** Its place in the list of hosts that is written. */
  readonly entry: number;
  /** Why it can't be as it is written, and which key of its entry says so. */
  readonly problems: readonly HostProblem[];
}

export interface HostProblem {
  readonly key: string;
  readonly sentence: string;
}

/** The hosts of a pool that was checked. */
export function inventory(pool: string, written: WrittenPool, jumps: Readonly<Record<string, JumpEntry>>): InventoryHost[] {
  return listedHosts(pool, written, jumps).map(({ host }) => host);
}

/** The hosts of a pool, ranges taken apart, with what speaks against each. */
export function listedHosts(pool: string, written: WrittenPool, jumps: Readonly<Record<string, JumpEntry>>): ListedHost[] {
  return written.hosts.flatMap((entry, index) =>
    hostsOfLine(entry.host).map((address) => ({
      ...listedHost(pool, { ...entry, host: address }, { written, jumps, range: entry }),
      entry: index,
    })),
  );
}

interface Around {
  readonly written: WrittenPool;
  readonly jumps: Readonly<Record<string, JumpEntry>>;
  /** The line that the host is from. */
  readonly range: HostEntry;
}

function listedHost(pool: string, entry: HostEntry, { written, jumps, range }: Around): Omit<ListedHost, "entry"> {
  const problems: HostProblem[] = [];
  const refuse = (key: string, sentence: string | undefined) => void (sentence !== undefined && problems.push({ key, sentence }));
  for (const key of ["name", "hostKey"] as const)
    if (isHostRange(range.host) && range[key] !== undefined)
      refuse(key, `can't hold for all hosts of "${range.host}": write that one by itself`);
  const found = written.sshConfig?.of(entry.host);
  for (const sentence of found?.problems ?? []) refuse("host", sentence);

  const name = hostName(pool, entry);
  const host = found?.host ?? entry.host;
  const port = entry.port ?? written.port ?? found?.port ?? fallback.port;
  const user = entry.user ?? written.user ?? found?.user ?? fallback.user;
  const key = entry.key ?? written.key ?? foundKey(found?.key) ?? fallback.key;
  const passphrase = entry.keyPassphrase ?? (entry.key === undefined ? written.keyPassphrase : undefined);
  if (passphrase !== undefined && key.kind === "agent")
    refuse("keyPassphrase", "is for a key file, and its key is the ssh-agent: write key: ~/…");
  const known = written.knownHosts === undefined ? {} : knownKey(written.knownHosts, knownName(host, port, found?.knownAs), entry.hostKey);
  refuse("host", known.problem);
  const namedJump = entry.jump ?? written.jump;
  const jump =
    namedJump === undefined
      ? jumpChainOf(found?.jump ?? [], {
          ...written,
          jumps,
          credential: (path) => credentialOf(foundKey(path) ?? written.key ?? fallback.key, written.keyPassphrase),
          refuse: (sentence) => refuse("host", sentence),
        })
      : jumpChain(namedJump, jumps);
  const sudoPassword = entry.sudoPassword ?? written.sudoPassword;
  if (sudoPassword !== undefined && user === "root" && (entry.sudoPassword !== undefined || entry.user === undefined))
    refuse("sudoPassword", "is for a user who becomes root by sudo, and its user is root: write user");
  return {
    problems,
    host: {
      name,
      host,
      port,
      user,
      credential: credentialOf(key, passphrase),
      hostKey: entry.hostKey ?? known.key,
      trustOnFirstUse: entry.trustOnFirstUse ?? written.trustOnFirstUse ?? false,
      jump,
      labels: { ...written.labels, ...entry.labels },
      site: entry.site ?? written.site,
      price: entry.price ?? written.price,
      sudoPassword:
        sudoPassword === undefined || user === "root"
          ? undefined
          : secretOf(
              sudoPassword,
              `the sudo password of ${user} on ${entry.sudoPassword === undefined ? `the hosts of pool ${pool}` : name}`,
            ),
      connectTimeoutMs: entry.connectTimeout ?? written.connectTimeout,
    },
  };
}

/** What can't be taken apart is refused where it is written. */
function hostsOfLine(host: string): string[] {
  try {
    return expandHostRange(host);
  } catch {
    return [host];
  }
}

function foundKey(key: string | undefined): KeyReference | undefined {
  if (key === undefined) return undefined;
  return key === "agent" ? { kind: "agent" } : { kind: "file", path: key };
}

function knownName(host: string, port: number, knownAs: string | undefined): { readonly host: string; readonly port: number } {
  return knownAs === undefined ? { host, port } : { host: knownAs, port: 22 };
}

/** The key with where its passphrase is; asked for once, however many hosts have that key. */
export function credentialOf(key: KeyReference, passphrase: WrittenSecret | undefined): CredentialReference {
  if (key.kind === "agent" || passphrase === undefined) return key;
  return { ...key, passphrase: secretOf(passphrase, `the passphrase of ${key.path}`) };
}

function secretOf(written: WrittenSecret, what: string): SecretReference {
  return written.kind === "ask" ? { kind: "ask", what } : written;
}

/**
 * The name of a host's machine and node. It is made of its address and not of its place in the list, so that a host that
 * is taken out of the settings does not rename those after it.
 */
export function hostName(pool: string, { name, host }: Pick<HostEntry, "name" | "host">): string {
  if (name !== undefined) return name;
  const isAddress = /^[0-9.]+$/.test(host) || host.includes(":");
  const part = isAddress ? host : (host.split(".")[0] ?? host);
  return `${pool}-${part
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")}`;
}

/** What is known of a host beyond the settings. */
export interface HostFindings {
  /** The key that is pinned in the state. */
  readonly hostKey?: string | undefined;
  readonly arch?: string | undefined;
  /** The burst that takes it. */
  readonly burst?: string | undefined;
  /** What tasks may use of it, where that is declared and not measured. */
  readonly capacity?: Resources | undefined;
}

/** The host as a machine. */
export function machineOfHost(pool: string, host: Omit<InventoryHost, "trustOnFirstUse">, found: HostFindings): Machine {
  const { name, port, user, credential, jump, labels, site, price, sudoPassword, connectTimeoutMs } = host;
  const hostKey = host.hostKey ?? found.hostKey;
  return machine.parse({
    name,
    pool,
    provider: "ssh",
    providerId: sshProviderId(host.host, port),
    host: host.host,
    port,
    user,
    credential,
    labels,
    ...(hostKey === undefined ? {} : { hostKey }),
    ...(jump === undefined ? {} : { jump }),
    ...(sudoPassword === undefined ? {} : { sudoPassword }),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    attributes: { cloud: "own", ...(site === undefined ? {} : { site }), ...(found.arch === undefined ? {} : { arch: found.arch }) },
    ...(price === undefined ? {} : { price }),
    ...(found.burst === undefined ? {} : { burst: found.burst }),
    ...(found.capacity === undefined ? {} : { capacity: found.capacity }),
  });
}
