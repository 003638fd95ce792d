/**
 * What agents and masters say to each other. Agents dial out over mTLS WebSockets: `control` at /agent/control
 * (JSON text frames, small) and `bulk` at /agent/bulk (logs; opened by the agent when the master sends `open-bulk`,
 * closed when idle), so that bytes never starve heartbeats. Both ends parse every frame; unknown keys are dropped,
 * so that a newer peer can add some.
 */
import { z } from "zod";
import { nodeFacts, nodeNotice } from "./node.ts";
import { resources } from "./resources.ts";
import { taskReport, taskSpec } from "./workload.ts";

export const controlPath = "/agent/control";
export const bulkPath = "/agent/bulk";

/** Agent → master, on control. */
export const agentMessage = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    wire: z.number().int(),
    agentVersion: z.string().max(63),
    bundle: z.string().max(255).describe("digest of the bundle it runs"),
    facts: nodeFacts,
    measured: resources.describe("what the host has, as measured"),
    tasks: z.array(taskReport).describe("every attempt it knows: running, or finished and not yet recorded"),
  }),
  z.object({
    type: z.literal("heartbeat"),
    sentAt: z.number().describe("ms since the epoch, the agent's clock"),
    notice: nodeNotice
      .nullable()
      .optional()
      // One of a kind that this master does not know is none: the heartbeat still counts.
      .catch(undefined)
      .describe(
        "what the node's cloud announces, in every heartbeat as long as it does, `at` by the agent's clock; null: nothing; missing: it can't be known, as on machines that are no cloud's and from agents before 0.5",
      ),
  }),
  z.object({ type: z.literal("task"), report: taskReport }),
]);
export type AgentMessage = z.infer<typeof agentMessage>;

/** Master → agent, on control. */
export const masterMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("welcome"), wire: z.number().int(), heartbeatIntervalMs: z.number().int(), masterTime: z.number() }),
  z.object({ type: z.literal("run"), task: taskSpec }).describe("may come twice; the second is answered with a report only"),
  z.object({ type: z.literal("stop"), taskId: z.string(), graceMs: z.number().int(), reason: z.string() }),
  z.object({ type: z.literal("recorded"), taskId: z.string() }).describe("the finished report is durable; the agent need not repeat it"),
  z.object({ type: z.literal("open-bulk") }),
  z.object({ type: z.literal("refused"), reason: z.string() }).describe("this agent is not wanted; it stops dialling for a minute"),
  z.object({ type: z.literal("leave") }).describe("the node was removed: stop every task, then exit for good"),
]);
export type MasterMessage = z.infer<typeof masterMessage>;

export const logChannels = ["stdout", "stderr"] as const;
const logChannel = z.enum(logChannels);
export type LogChannel = z.infer<typeof logChannel>;

/** Master → agent, on bulk (text frames). */
export const bulkRequest = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("open-log"),
    stream: z.number().int(),
    taskId: z.string(),
    follow: z.boolean(),
    skips: z.boolean().optional().describe("`skipped` is understood; masters before 0.4 get a line of text in its place"),
  }),
  z.object({ type: z.literal("credit"), stream: z.number().int(), bytes: z.number().int().positive() }),
  z.object({ type: z.literal("close"), stream: z.number().int() }),
]);
export type BulkRequest = z.infer<typeof bulkRequest>;

/** Agent → master, on bulk (text frames). Bytes travel in binary frames: u32 BE stream, u8 channel, then the bytes. */
export const bulkReply = z.discriminatedUnion("type", [
  z.object({ type: z.literal("end"), stream: z.number().int(), error: z.string().optional() }),
  z
    .object({
      type: z.literal("skipped"),
      stream: z.number().int(),
      channel: logChannel,
      bytes: z.number().int().positive(),
    })
    .describe("so many bytes of the output are no longer there; the next ones come after them"),
]);
export type BulkReply = z.infer<typeof bulkReply>;

/** A stream's sender may have this many bytes under way before it needs `credit`. */
export const initialCreditBytes = 256 * 1024;
export const maxControlFrameBytes = 4 * 1024 * 1024;
export const maxDataBytes = 32 * 1024;
/** The bulk connection closes after this long without a stream. */
export const bulkIdleMs = 30_000;

/** The line that stands for output that is no longer there. */
export function cutNotice(bytes: number): string {
  return `[spillway: ${bytes} bytes of this output are no longer there: its node keeps the newest]\n`;
}

export function encodeData(stream: number, channel: LogChannel, bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(5 + bytes.length);
  frame.writeUInt32BE(stream, 0);
  frame.writeUInt8(channel === "stdout" ? 1 : 2, 4);
  frame.set(bytes, 5);
  return frame;
}

/** Throws a RangeError on a frame that is too short or names no channel. */
export function decodeData(frame: Buffer): { stream: number; channel: LogChannel; bytes: Buffer } {
  const channel = frame.length < 5 ? 0 : frame.readUInt8(4);
  if (channel !== 1 && channel !== 2) throw new RangeError("malformed bulk data frame");
  return { stream: frame.readUInt32BE(0), channel: channel === 1 ? "stdout" : "stderr", bytes: frame.subarray(5) };
}
