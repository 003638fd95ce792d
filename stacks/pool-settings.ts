/** What a user writes for a node pool, by its provider; part of the settings. */
import { z } from "zod";
import { cpuQuantity, memoryQuantity } from "../agent/contract/quantities.ts";
import { resourceName } from "../agent/contract/workload.ts";

/** What is said of a pool whose provider is none of this version's. */
export const whichProvider = { error: "write provider: local (machines on this computer) or provider: ssh (hosts you own)" };

export const labels = z.record(z.string(), z.string());

export const localPool = z.strictObject({
  provider: z.literal("local").describe("machines on this computer"),
  count: z.number().int().min(1).max(32).default(1).describe("how many machines"),
  cpu: cpuQuantity.prefault(2).describe("declared capacity of each, in cores or millicores: 2, 500m"),
  memory: memoryQuantity.prefault("4Gi").describe("declared capacity of each: 4Gi"),
  disk: memoryQuantity.prefault("10Gi").describe("declared capacity of each: 10Gi"),
  labels: labels.default({}).describe("your own keys"),
  node: z.enum(["link", "upload"]).default("link").describe("link this computer's Node, or upload the bundle's own (linux x64)"),
});

/** A host's name or address, without a port: it goes into URLs and commands. */
const address = z.string().regex(/^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|(?=.*:.*:)[0-9A-Fa-f:.]+)$/, {
  message: "write a host name or an address, e.g. node1.example.org or 192.0.2.11 (the port has a key of its own)",
});
const port = z.number().int().min(1).max(65535);
const user = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]*\$?$/, { message: "write a user's name, e.g. ops" });
const fingerprint = z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/, {
  message: "write the fingerprint as `ssh-keygen -lf` shows it: SHA256: and 43 characters",
});

/** A reference, never the key: it is read when it is needed, by whoever runs it. */
const key = z
  .string()
  .refine((text) => text === "agent" || text.startsWith("/") || text.startsWith("~/"), {
    message: "write the path of a private key file (~/… or /…), or agent for the ssh-agent",
  })
  .transform((text) => (text === "agent" ? { kind: "agent" as const } : { kind: "file" as const, path: text }));

export const hostDefaults = {
  user: user.optional().describe("the login; root, or one that may use sudo without a password (default root)"),
  port: port.optional().describe("of its SSH server (default 22)"),
  key: key.optional().describe("a private key file (~/… or /…), or agent (default agent)"),
  trustOnFirstUse: z
    .boolean()
    .optional()
    .describe("where no hostKey is written: believe the key it presents first, from then on (default false)"),
  jump: z.string().optional().describe("the name of a host in jumps, through which it is reached"),
  site: z.string().max(63).optional().describe("where it stands; an attribute of its node"),
  price: z.strictObject({ hourly: z.number().nonnegative() }).optional().describe("USD/hour, by your own reckoning"),
  labels: labels.optional().describe("your own keys"),
};

export const sshPool = z.strictObject({
  provider: z.literal("ssh").describe("hosts you own"),
  ...hostDefaults,
  onFailure: z
    .enum(["stop", "continue"])
    .default("stop")
    .describe("when a host can't be used: stop before any is changed, or go on without it"),
  hosts: z
    .array(
      z.strictObject({
        host: address.describe("name or address"),
        name: resourceName.optional().describe("of its machine and node (default: made of the pool's name and the host's)"),
        hostKey: fingerprint.optional().describe("its SSH host key: SHA256:…"),
        ...hostDefaults,
      }),
    )
    .min(1, "there must be at least one host"),
});

export const jumpHosts = z
  .record(
    z.string(),
    z
      .strictObject({
        host: address.describe("name or address"),
        port: port.default(22),
        user: user.default("root"),
        key: key.prefault("agent"),
        hostKey: fingerprint,
      })
      .transform(({ key: credential, ...host }) => ({ ...host, credential })),
  )
  .default({});
