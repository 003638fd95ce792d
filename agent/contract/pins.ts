/** What `agent.js pins` prints on the master's machine, a JSON line each: what the master knows of machines and bursts. Nothing of it is secret. */
import { z } from "zod";
import { burstRow } from "./ledger.ts";

export const pinLine = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("node"),
    name: z.string(),
    pool: z.string(),
    host: z.string().optional().describe("undefined when it was declared by a version before 0.4, like the others"),
    port: z.number().int().optional(),
    user: z.string().optional(),
    hostKey: z.string().optional().describe("SHA256:…"),
    burst: z.string().optional(),
  }),
  burstRow.pick({ id: true, state: true, nodes: true, hourly: true }).extend({ kind: z.literal("burst") }),
]);
export type PinLine = z.infer<typeof pinLine>;
