/** The two configuration files on a machine: written by bootstrap (0600), read by `agent/main.ts`. */
import { z } from "zod";

/** How long silence lasts before it means something. One set of timers for all nodes. */
export const nodeTimers = z.object({
  heartbeatIntervalMs: z.number().int().positive().default(1000),
  suspectAfterMs: z.number().int().positive().default(5000).describe("no heartbeat for this long: suspect, gets no new task"),
  disconnectedAfterMs: z.number().int().positive().default(15_000),
  lostAfterMs: z.number().int().positive().default(60_000).describe("its tasks are given up and retried elsewhere"),
});
export type NodeTimers = z.infer<typeof nodeTimers>;

/** Clouds that announce in a machine's metadata what they are about to do with it. */
export const cloudName = z.enum(["aws", "azure"]);
export type CloudName = z.infer<typeof cloudName>;

export const agentConfig = z.object({
  node: z.string().describe("the node's name; the CN of its certificate"),
  endpoint: z.string().describe("https URL of the master, with port"),
  dialVia: z
    .object({ host: z.string(), port: z.number().int().min(1).max(65535) })
    .optional()
    .describe("where it connects instead, and is led on to the master; who answers must still be the endpoint"),
  caFile: z.string().describe("the environment's root CA, PEM"),
  stateDir: z.string().describe("identity (key.pem, cert.pem), tasks/, spool"),
  executor: z.enum(["process", "systemd"]).default("process").describe("how tasks run: as transient units where systemd is the init"),
  taskUsers: z
    .object({ first: z.number().int().positive(), last: z.number().int().positive() })
    .refine(({ first, last }) => first <= last, "first must not be greater than last")
    .optional()
    .describe("of the process executor under root: user ids of which each task gets one of its own; without it tasks are the agent's user"),
  logBytes: z
    .number()
    .int()
    .positive()
    .optional()
    .describe("of one task's output, stdout and stderr together, at most so many bytes are kept; 256 MiB when not given"),
  logTotalBytes: z
    .number()
    .int()
    .positive()
    .optional()
    .describe("of all tasks' output on this node at most so many bytes are kept, the newest; 8 GiB when not given"),
  deadMan: z
    .object({
      silenceMs: z.number().int().positive().describe("welcomed by no master for so long, it ends its tasks and then its machine"),
      end: z.array(z.string()).describe("the command that ends the machine; empty: its owner keeps it, only the agent ends"),
    })
    .optional()
    .describe("on nodes of bursts only"),
  cloud: cloudName.optional().describe("whose machine it is: its metadata is asked for notices; none on machines that are no cloud's"),
});
export type AgentConfig = z.infer<typeof agentConfig>;

export const masterConfig = z.object({
  environment: z.object({ id: z.string().describe("UUID of the Authority"), name: z.string() }),
  listen: z.object({ host: z.string(), port: z.number().int() }),
  endpoint: z.string().describe("the https URL by which agents and people reach it"),
  alsoAt: z.array(z.string()).max(16).optional().describe("further https URLs by which agents reach it, inside its own network"),
  stateDir: z.string(),
  caFile: z.string().describe("root CA certificate, PEM"),
  intermediateCertFile: z.string().describe("CA certificate that signs nodes' certificates and the master's own, PEM"),
  intermediateKeyFile: z.string().describe("its key, PKCS#8 PEM, 0600"),
  adminTokenSha256: z.string().describe("hex; the token itself is never on the machine"),
  timers: nodeTimers.prefault({}),
  identityAuthorities: z
    .array(z.string())
    .max(64)
    .optional()
    .describe("PEM: certificates that vouch for instances of clouds beside those of AWS and Azure, for regions and clouds of one's own"),
});
export type MasterConfig = z.infer<typeof masterConfig>;
