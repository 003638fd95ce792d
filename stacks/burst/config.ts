/** What a burster runs by: written by the resource `Burster`, read by the burster's process and by `fsck`. Holds secrets: 0600. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import { machine } from "../../agent/contract/machine.ts";
import { burstPool } from "../burst-settings.ts";

export const bursterConfig = z.object({
  version: z.string().describe("of Spillway"),
  holder: z.string().describe("which burster it is, also after a restart"),
  environment: z.string(),
  environmentId: z.string(),
  endpoint: z.string(),
  masterInstance: z.string(),
  caCert: z.string(),
  adminToken: z.string(),
  pools: z.record(z.string(), burstPool),
  expireAfterMs: z.number().int().positive().optional().describe("a machine that hears of no master for so long ends itself"),
  sweep: z.object({ everyMs: z.number().int().positive(), unknownAfterMs: z.number().int().nonnegative() }),
  nearby: z
    .object({ endpoint: z.string(), regions: z.record(z.string(), z.array(z.string())) })
    .optional()
    .describe("the master's URL inside its own network, and by burst pool the regions whose machines stand there"),
  reach: z.literal("reverse").optional().describe("machines of clouds reach the master by tunnels that it holds to them"),
  tunnels: z.array(machine).default([]).describe("of node pools, those that it holds tunnels to; read anew while it runs"),
  directory: z.string().describe("its own: backend, passphrase, this file"),
  machines: z.string().describe("directory of the environment's local machines"),
  logs: z.string(),
  variables: z.record(z.string(), z.string()).describe("the environment variables it needs: PATH, PULUMI_HOME …"),
});
export type BursterConfig = z.infer<typeof bursterConfig>;

/** Where a burster keeps what is its own; all below one directory. */
export function burstLayout(directory: string) {
  return {
    config: join(directory, "burster.json"),
    /** Pulumi's state of all bursts, which the environment's own backend knows nothing of. */
    backend: join(directory, "backend"),
    passphrase: join(directory, "passphrase"),
    /** The project that every burst's stack belongs to. */
    project: join(directory, "project"),
    /** The supervisor's and the burster's process ids. */
    unit: join(directory, "unit"),
    /** The regions of clouds that were ever bought in. */
    boughtIn: join(directory, "bought-in.json"),
    /** The ledger that was known last. */
    ledger: join(directory, "known-ledger.json"),
  };
}

/** Undefined where no burster was set up. Throws `file-unreadable` for a file that is not one. */
export function readBursterConfig(directory: string): BursterConfig | undefined {
  const file = burstLayout(directory).config;
  if (!existsSync(file)) return undefined;
  try {
    return bursterConfig.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new SpillwayError(`the burster's configuration can't be read: ${describeError(cause)}`, {
      code: "file-unreadable",
      where: file,
      hint: "Put the environment up again: it writes that file anew.",
    });
  }
}
