/** An environment of lab hosts in a copy of the working tree: its settings written, then used as a person would. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Client, createClient } from "../../../agent/contract/client.ts";
import type { JobDetail } from "../../../agent/contract/workload.ts";
import { type Checkout, readContext } from "../../support/checkout.ts";
import { waitUntil } from "../../support/wait-until.ts";
import type { LabHost } from "./lab-host.ts";

export interface RackHost {
  readonly host: Pick<LabHost, "address" | "hostKey" | "name" | "site" | "keyFile">;
  /** What is written for it beside its address, name, site and host key. */
  readonly over?: Record<string, unknown>;
  /** `rack` when not given. */
  readonly pool?: string;
}

export interface RackSettings {
  readonly onFailure?: "stop" | "continue";
  readonly heartbeat?: Record<string, string>;
  /** What else is written for each node pool. */
  readonly over?: Record<string, unknown>;
  /** Of the master; its host's address when not given. */
  readonly endpoint?: string;
  /** Jump hosts by name. */
  readonly jumps?: Record<string, RackHost["host"]>;
  /** Bursts onto spare hosts; the rest of what is written under `burst`. */
  readonly burst?: { readonly spare: readonly RackHost["host"][]; readonly shape: Record<string, unknown> } & Record<string, unknown>;
}

/** Writes the settings of an environment of these hosts; the first of the pool `rack` carries the master. */
export function writeRack(checkout: Checkout, hosts: readonly RackHost[], settings: RackSettings = {}): void {
  const { onFailure = "stop", heartbeat, over: ofPool, endpoint, jumps = {}, burst } = settings;
  const poolOf = (name: string) => ({
    provider: "ssh",
    user: "ops",
    key: hosts[0]?.host.keyFile,
    onFailure,
    ...ofPool,
    hosts: hosts
      .filter(({ pool = "rack" }) => pool === name)
      .map(({ host, over }) => ({ host: host.address, name: host.name, site: host.site, hostKey: host.hostKey, ...over })),
  });
  const names = new Set(hosts.map(({ pool = "rack" }) => pool));
  const pools = Object.fromEntries([...names].map((name) => [name, poolOf(name)]));
  const jumpHosts = Object.fromEntries(
    Object.entries(jumps).map(([name, { address, keyFile, hostKey }]) => [name, { host: address, user: "ops", key: keyFile, hostKey }]),
  );
  const value = {
    masters: { pool: "rack", endpoint },
    pools,
    jumps: jumpHosts,
    ...(heartbeat === undefined ? {} : { heartbeat }),
    ...(burst === undefined ? {} : { burst: burstOf(burst) }),
  };
  const file = join(checkout.directory, "stacks/environment", "Pulumi.rack.yaml");
  writeFileSync(file, stringify({ config: { "spillway:environment": value } }));
}

function burstOf({ spare, shape, ...rest }: NonNullable<RackSettings["burst"]>): Record<string, unknown> {
  const hosts = spare.map(({ address, name, hostKey }) => ({ host: address, name, hostKey }));
  return { pools: { spare: { provider: "ssh", user: "ops", key: spare[0]?.keyFile, ...shape, hosts } }, ...rest };
}

/** A client of the environment's master. */
export function rackClient(checkout: Checkout): Client {
  const { url, ca, token } = readContext(checkout);
  return createClient({ url, ca, token });
}

/** node → state. */
export async function nodeStates(client: Client): Promise<Record<string, string>> {
  return Object.fromEntries((await client.nodes()).map(({ name, state }) => [name, state]));
}

/** Waits until the job has ended and returns it; a master that is away for a moment is asked again. */
export async function endedJob(client: Client, id: string, timeoutMs: number): Promise<JobDetail> {
  let job: JobDetail | undefined;
  await waitUntil(
    `job ${id} has ended`,
    async () => {
      job = await client.job(id).catch(() => undefined);
      return job !== undefined && !["pending", "running"].includes(job.state);
    },
    timeoutMs,
  );
  if (job === undefined) throw new Error(`job ${id} was not found`);
  return job;
}
