/** The CLI's context file (0600): which environment, where its master is, its CA and the admin token. */
import { z } from "zod";

export const context = z.object({
  environment: z.string(),
  environmentId: z.string(),
  url: z.string(),
  ca: z.string().describe("root CA, PEM"),
  token: z.string().describe("secret"),
});
export type Context = z.infer<typeof context>;
