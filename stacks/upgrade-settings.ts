/** What a user writes for upgrades; part of the settings. */
import { z } from "zod";
import { durationQuantity } from "../agent/contract/quantities.ts";

const share = z
  .union([z.number().int().min(1), z.string().regex(/^(100|[1-9]\d?)%$/)], {
    error: "write a number of nodes (1 or more) or a share of them (25%)",
  })
  .describe("nodes that are upgraded at a time after the canary: a number, or a share of all");

export const upgradeSettings = z
  .strictObject({
    canary: z.number().int().min(0).default(1).describe("nodes that are upgraded first, and must be well before any other is touched"),
    batch: share.default("25%"),
    healthTimeout: durationQuantity.prefault("60s").describe("an upgraded node that is not well by then has failed"),
    autoRevert: z.boolean().default(true).describe("nodes of a batch that has failed go back to what they ran"),
  })
  .refine(({ healthTimeout }) => healthTimeout >= 5000, { path: ["healthTimeout"], message: "must be at least 5s" })
  .transform(
    ({ canary, batch, healthTimeout, autoRevert }): UpgradeStrategy => ({
      canary,
      batch,
      healthTimeoutMs: healthTimeout,
      autoRevert,
    }),
  );

/** With everything filled in, as it travels through Pulumi's inputs. */
export const upgradeStrategy = z.object({
  canary: z.number().int().min(0),
  batch: z.union([z.number().int().min(1), z.string()]),
  healthTimeoutMs: z.number().int().positive(),
  autoRevert: z.boolean(),
});
export type UpgradeStrategy = z.infer<typeof upgradeStrategy>;

/** How many nodes of so many a batch has: at least one. */
export function batchSize(batch: UpgradeStrategy["batch"], nodes: number): number {
  if (typeof batch === "number") return batch;
  return Math.max(1, Math.ceil((nodes * Number.parseInt(batch, 10)) / 100));
}
