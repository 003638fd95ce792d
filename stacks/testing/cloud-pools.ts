/** For tests: what a user writes for machines of clouds, well-formed, and a catalog of what a cloud sells. */
import type { Catalog, CatalogEntry } from "../../providers/provider.ts";
import { parseSettings } from "../settings.ts";

export const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEw ops@example.org";
const access = { authorizedKeys: [publicKey], sshFrom: ["203.0.113.7/32"] };

/** A node pool of AWS that carries the master. */
export const aws = (over: object = {}) => ({
  provider: "aws",
  region: "eu-central-1",
  instanceType: "m7i.large",
  masterFrom: ["203.0.113.0/24"],
  ...access,
  ...over,
});

/** A node pool of Azure. */
export const azure = (over: object = {}) => ({
  provider: "azure",
  region: "westeurope",
  instanceType: "Standard_D2s_v5",
  ...access,
  ...over,
});

/** A burst pool of a cloud. */
export const buying = (over: object = {}) => ({ provider: "aws", regions: ["eu-central-1"], ...access, ...over });

/** Settings with the master in AWS, or wherever `over` says. */
export const inClouds = (over: object = {}) => ({ masters: { pool: "base" }, pools: { base: aws() }, ...over });

/** Settings that burst into these pools. */
export const bursting = (pools: Record<string, object>, over: object = {}) =>
  inClouds({ burst: { pools, maxNodes: 10, budget: { perDay: 50 } }, ...over });

/** What is wrong with them. */
export function problemsOf(value: unknown): string[] {
  try {
    parseSettings(value);
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return [];
}

export function anEntry(fields: Partial<CatalogEntry> = {}): CatalogEntry {
  return {
    instanceType: "m7i.large",
    region: "eu-central-1",
    zones: ["eu-central-1a", "eu-central-1b"],
    arch: "x64",
    cpu: 2000,
    memory: 8192,
    gpus: [],
    isBareMetal: false,
    isBurstable: false,
    onDemand: 0.12,
    spot: { "eu-central-1a": 0.05, "eu-central-1b": 0.04 },
    ...fields,
  };
}

/** Asked a moment ago. */
export function aCatalog(fields: Partial<Catalog> = {}): Catalog {
  return {
    provider: "aws",
    region: "eu-central-1",
    fetchedAt: Date.now(),
    diskGiB: 0.0001,
    publicAddress: 0.005,
    entries: [anEntry()],
    ...fields,
  };
}
