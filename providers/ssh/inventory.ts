/** The hosts of a pool as the settings name them, each with what holds for the whole pool filled in; pure. */
import { z } from "zod";
import {
  type CredentialReference,
  credentialReference,
  type JumpHost,
  jumpHost,
  type Machine,
  machine,
} from "../../agent/contract/machine.ts";
import type { Resources } from "../../agent/contract/resources.ts";
import { sshProviderId } from "./pool.ts";

/** What may be said for a host, or for all hosts of the pool. */
export interface HostDefaults {
  readonly user?: string | undefined;
  readonly port?: number | undefined;
  readonly key?: CredentialReference | undefined;
  readonly trustOnFirstUse?: boolean | undefined;
  /** A name among the jump hosts. */
  readonly jump?: string | undefined;
  readonly site?: string | undefined;
  readonly price?: { readonly hourly: number } | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export interface HostEntry extends HostDefaults {
  readonly host: string;
  readonly name?: string | undefined;
  /** SHA256:… */
  readonly hostKey?: string | undefined;
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
});
export type InventoryHost = z.infer<typeof inventoryHost>;

const fallback = { user: "root", port: 22, key: { kind: "agent" } } as const;

export function inventory(
  pool: string,
  defaults: HostDefaults & { readonly hosts: readonly HostEntry[] },
  jumps: Readonly<Record<string, JumpHost>>,
): InventoryHost[] {
  return defaults.hosts.map((entry) => {
    const jump = entry.jump ?? defaults.jump;
    return {
      name: hostName(pool, entry),
      host: entry.host,
      port: entry.port ?? defaults.port ?? fallback.port,
      user: entry.user ?? defaults.user ?? fallback.user,
      credential: entry.key ?? defaults.key ?? fallback.key,
      hostKey: entry.hostKey,
      trustOnFirstUse: entry.trustOnFirstUse ?? defaults.trustOnFirstUse ?? false,
      jump: jump === undefined ? undefined : jumps[jump],
      labels: { ...defaults.labels, ...entry.labels },
      site: entry.site ?? defaults.site,
      price: entry.price ?? defaults.price,
    };
  });
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
  const { name, port, user, credential, jump, labels, site, price } = host;
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
    attributes: { cloud: "own", ...(site === undefined ? {} : { site }), ...(found.arch === undefined ? {} : { arch: found.arch }) },
    ...(price === undefined ? {} : { price }),
    ...(found.burst === undefined ? {} : { burst: found.burst }),
    ...(found.capacity === undefined ? {} : { capacity: found.capacity }),
  });
}
