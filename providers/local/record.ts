/** What a local machine's directory says of it: the provider's own record, and the machine's tags. */
import { z } from "zod";
import { resources } from "../../agent/contract/resources.ts";

export const localMachineRecord = z.object({
  environmentId: z.string(),
  name: z.string(),
  pool: z.string(),
  providerId: z.string().describe("a new UUID for each machine made, also in the same directory"),
  port: z.number().int(),
  hostKey: z.string().describe("SHA256:… of its SSH host key"),
  user: z.string(),
  burst: z.string().optional().describe("the burst that bought it"),
  capacity: resources.optional().describe("missing in records of version 0.2, like all below"),
  labels: z.record(z.string(), z.string()).default({}),
  price: z.object({ hourly: z.number() }).default({ hourly: 0 }),
  nodeBinary: z.string().optional(),
  madeAt: z.number().optional().describe("ms since the epoch"),
});
export type LocalMachineRecord = z.infer<typeof localMachineRecord>;
