/** What every provider yields: a host with an address and SSH access, not yet trusted, nothing installed. */
import { z } from "zod";
import { resources } from "./resources.ts";

/** Where a password or passphrase is found when it is needed, by whoever runs it; never the secret itself. */
export const secretReference = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("env"), name: z.string().describe("an environment variable of whoever runs it") }),
  z.object({ kind: z.literal("file"), path: z.string().describe("its first line; others must not be able to read it") }),
  z.object({
    kind: z.literal("ask"),
    what: z.string().describe("what the person at the terminal is asked for; asked once for all that want the same"),
  }),
]);
export type SecretReference = z.infer<typeof secretReference>;

/** Where the SSH credential is found when it is needed; never the credential itself. */
export const credentialReference = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("file"),
    path: z.string().describe("a private key file on the operator's machine; ~/ is whoever runs it"),
    passphrase: secretReference.optional().describe("of a key that is encrypted"),
  }),
  z.object({ kind: z.literal("agent") }).describe("the ssh-agent that SSH_AUTH_SOCK names"),
]);
export type CredentialReference = z.infer<typeof credentialReference>;

/** A host that is passed through on the way to a machine; its key is pinned like any other. */
export const jumpHost = z.object({
  host: z.string(),
  port: z.number().int().min(1).max(65535),
  user: z.string(),
  hostKey: z.string().describe("the pinned SSH host key's fingerprint, SHA256:…"),
  credential: credentialReference,
  get jump(): z.ZodOptional<typeof jumpHost> {
    return jumpHost.optional().describe("the host before this one, nearer to the operator");
  },
});
export type JumpHost = z.infer<typeof jumpHost>;

/** Every host that is passed through, the one nearest to the machine first. */
export function hopsOf(jump: JumpHost | undefined): JumpHost[] {
  return jump === undefined ? [] : [jump, ...hopsOf(jump.jump)];
}

export const machine = z.object({
  name: z.string().describe("unique in the environment, e.g. m1; its node has the same name"),
  pool: z.string().describe("the node pool it belongs to"),
  provider: z.string().describe("local, ssh, aws, azure"),
  providerId: z.string().describe("the provider's own name for it; unique at the provider"),
  host: z.string(),
  port: z.number().int().min(1).max(65535),
  user: z.string(),
  hostKey: z.string().optional().describe("the pinned SSH host key's fingerprint, SHA256:…"),
  credential: credentialReference,
  jump: jumpHost.optional().describe("the host through which it is reached"),
  sudoPassword: secretReference.optional().describe("of its user, where sudo wants one"),
  connectTimeoutMs: z.number().int().nonnegative().optional().describe("how long an installation tries to reach it; 2 min without it"),
  labels: z.record(z.string(), z.string()).default({}).describe("the user's own keys"),
  attributes: z.record(z.string(), z.string()).default({}).describe("facts the provider knows: cloud, region, zone, site, market …"),
  capacity: resources.optional().describe("declared capacity; without it the agent measures its host"),
  price: z.object({ hourly: z.number().nonnegative().describe("USD/hour") }).optional(),
  burst: z.string().optional().describe("the burst it was bought by; a tag at the provider"),
  join: z
    .literal("cloud-init")
    .optional()
    .describe("nobody connects to it: it was born with all that makes it a node, and is replaced where another is mended"),
  nodeBinary: z.string().optional().describe("a Node binary on that machine that may be linked to instead of uploaded"),
});
export type Machine = z.infer<typeof machine>;

/** A machine as errors name it. */
export function whereOf({ name, host, port }: Pick<Machine, "name" | "host" | "port">): string {
  return `machine ${name} (${host}:${port})`;
}

/** Where the way to it begins: the outermost of its jump hosts, or itself. */
export function firstHop({ host, port, jump }: Pick<Machine, "host" | "port" | "jump">): { readonly host: string; readonly port: number } {
  return jump === undefined ? { host, port } : firstHop(jump);
}
