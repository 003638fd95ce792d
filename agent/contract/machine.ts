/** What every provider yields: a host with an address and SSH access, not yet trusted, nothing installed. */
import { z } from "zod";
import { resources } from "./resources.ts";

/** Where the SSH credential is found when it is needed; never the credential itself. */
export const credentialReference = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("file"), path: z.string().describe("a private key file on the operator's machine; ~/ is whoever runs it") }),
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
});
export type JumpHost = z.infer<typeof jumpHost>;

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
  labels: z.record(z.string(), z.string()).default({}).describe("the user's own keys"),
  attributes: z.record(z.string(), z.string()).default({}).describe("facts the provider knows: cloud, region, zone, site, market …"),
  capacity: resources.optional().describe("declared capacity; without it the agent measures its host"),
  price: z.object({ hourly: z.number().nonnegative().describe("USD/hour") }).optional(),
  burst: z.string().optional().describe("the burst it was bought by; a tag at the provider"),
  nodeBinary: z.string().optional().describe("a Node binary on that machine that may be linked to instead of uploaded"),
});
export type Machine = z.infer<typeof machine>;

/** A machine as errors name it. */
export function whereOf({ name, host, port }: Pick<Machine, "name" | "host" | "port">): string {
  return `machine ${name} (${host}:${port})`;
}
