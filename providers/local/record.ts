/** What a local machine's directory says of it: the provider's own record, and the machine's tags. */
import { z } from "zod";

export const localMachineRecord = z.object({
  environmentId: z.string(),
  name: z.string(),
  pool: z.string(),
  providerId: z.string().describe("a new UUID for each machine made, also in the same directory"),
  port: z.number().int(),
  hostKey: z.string().describe("SHA256:… of its SSH host key"),
  user: z.string(),
});
export type LocalMachineRecord = z.infer<typeof localMachineRecord>;
