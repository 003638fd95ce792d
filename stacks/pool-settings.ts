/** What a user writes for a node pool, by its provider; part of the settings. */
import { z } from "zod";
import { cpuQuantity, durationQuantity, memoryQuantity } from "../agent/contract/quantities.ts";
import { resourceName } from "../agent/contract/workload.ts";
import { expandHostRange } from "../providers/ssh/host-range.ts";
import { credentialOf } from "../providers/ssh/inventory.ts";
import { readKnownHosts, readSshConfig } from "./operator-files.ts";

/** What is said of a pool whose provider is none of this version's. */
export const whichProvider = { error: "write provider: local (machines on this computer), ssh (hosts you own), aws or azure" };

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
const addressForm = /^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|(?=.*:.*:)[0-9A-Fa-f:.]+)$/;
const addressHint = "write a host name or an address, e.g. node1.example.org or 192.0.2.11 (the port has a key of its own)";
const address = z.string().regex(addressForm, { message: addressHint });
const addresses = z.string().superRefine((text, context) => {
  try {
    if (!expandHostRange(text).every((host) => addressForm.test(host))) context.addIssue({ code: "custom", message: addressHint });
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
  }
});
const port = z.number().int().min(1).max(65535);
const user = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]*\$?$/, { message: "write a user's name, e.g. ops" });
const fingerprint = z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/, {
  message: "write the fingerprint as `ssh-keygen -lf` shows it: SHA256: and 43 characters",
});

const ownFile = /^(~\/|\/)/;
const formOfFile = "write true, or a path (~/… or /…)";

/** A reference, never the key: it is read when it is needed, by whoever runs it. */
const key = z
  .string()
  .refine((text) => text === "agent" || ownFile.test(text), {
    message: "write the path of a private key file (~/… or /…), or agent for the ssh-agent",
  })
  .transform((text) => (text === "agent" ? { kind: "agent" as const } : { kind: "file" as const, path: text }));

/** Never the secret itself, which would then stand in a file that is shared. */
const secret = z.string().transform((text, context) => {
  const [, kind, rest = ""] = /^(env|file):(.+)$/s.exec(text) ?? [];
  if (text === "ask") return { kind: "ask" as const };
  if (kind === "env" && /^[A-Za-z_][A-Za-z0-9_]*$/.test(rest)) return { kind: "env" as const, name: rest };
  if (kind === "file" && ownFile.test(rest)) return { kind: "file" as const, path: rest };
  context.addIssue({
    code: "custom",
    message: "is no place for the secret itself: write ask, env:NAME (an environment variable) or file:~/PATH (its first line)",
    // What was written may be the secret, and is not repeated.
    input: undefined,
  });
  return z.NEVER;
});

export const hostDefaults = {
  user: user.optional().describe("the login; root, or one that may use sudo (default root)"),
  port: port.optional().describe("of its SSH server (default 22)"),
  key: key.optional().describe("a private key file (~/… or /…), or agent (default agent)"),
  keyPassphrase: secret.optional().describe("where the passphrase of an encrypted key file is: ask, env:NAME or file:~/PATH"),
  sudoPassword: secret.optional().describe("where its user's password is, if sudo wants one: ask, env:NAME or file:~/PATH"),
  connectTimeout: durationQuantity.optional().describe("how long an installation tries to reach it (default 2m)"),
  trustOnFirstUse: z
    .boolean()
    .optional()
    .describe("where no hostKey is written: believe the key it presents first, from then on (default false)"),
  jump: z.string().optional().describe("the name of a host in jumps, through which it is reached"),
  site: z.string().max(63).optional().describe("where it stands; an attribute of its node"),
  price: z.strictObject({ hourly: z.number().nonnegative() }).optional().describe("USD/hour, by your own reckoning"),
  labels: labels.optional().describe("your own keys"),
};

/** OpenSSH's own files, from which what the settings leave out is filled in. */
export const hostSources = {
  sshConfig: fileOf("~/.ssh/config", readSshConfig)
    .optional()
    .describe("true (~/.ssh/config) or a path: HostName, Port, User, IdentityFile and ProxyJump of the listed hosts"),
  knownHosts: fileOf("~/.ssh/known_hosts", readKnownHosts)
    .optional()
    .describe("true (~/.ssh/known_hosts) or a path: the keys of hosts without a hostKey"),
};

/** `true` or a path → what is read there. */
function fileOf<T>(usual: string, read: (path: string) => T) {
  return z.union([z.literal(true), z.string()], { error: formOfFile }).transform((written, context) => {
    try {
      if (written !== true && !ownFile.test(written)) throw new Error(formOfFile);
      return read(written === true ? usual : written);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
      return z.NEVER;
    }
  });
}

export const sshPool = z.strictObject({
  provider: z.literal("ssh").describe("hosts you own"),
  ...hostDefaults,
  ...hostSources,
  onFailure: z
    .enum(["stop", "continue"])
    .default("stop")
    .describe("when a host can't be used: stop before any is changed, or go on without it"),
  reserve: z
    .strictObject({
      cpu: cpuQuantity.optional().describe("default 80m and 1 % of the host's"),
      memory: memoryQuantity.optional().describe("default 280Mi and 5 % of the host's"),
      disk: memoryQuantity.optional().describe("default 5 % of what is free, at least 1Gi"),
    })
    .default({})
    .describe("kept of each host for its own system and the agent; 0Mi keeps nothing"),
  hosts: z
    .array(
      z.strictObject({
        host: addresses.describe("name or address, or a range of them: node[01-12].example.org, 192.0.2.[11-14]"),
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
        keyPassphrase: secret.optional().describe("where the passphrase of an encrypted key file is: ask, env:NAME or file:~/PATH"),
        hostKey: fingerprint,
        jump: z.string().optional().describe("the name of the jump host before it"),
      })
      .refine(({ key: { kind }, keyPassphrase }) => kind === "file" || keyPassphrase === undefined, {
        path: ["keyPassphrase"],
        message: "is for a key file, and its key is the ssh-agent: write key: ~/…",
      })
      .transform(({ key: written, keyPassphrase, ...host }) => ({ ...host, credential: credentialOf(written, keyPassphrase) })),
  )
  .default({});
