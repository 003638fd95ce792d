/** One POST to the master, trusting the environment's CA only; faults come back as SpillwayErrors. */
import { request } from "node:https";
import { z } from "zod";
import type { AgentConfig } from "../contract/agent-config.ts";
import { apiError } from "../contract/api.ts";
import { describeError, SpillwayError } from "../contract/errors.ts";
import { connectionVia } from "./dial-via.ts";

const timeoutMs = 15_000;
const maxAnswerBytes = 1024 * 1024;

export interface PostOptions<T> {
  readonly endpoint: string;
  readonly dialVia: AgentConfig["dialVia"];
  readonly path: string;
  readonly body: unknown;
  readonly reply: z.ZodType<T>;
  /** PEM. */
  readonly ca: string;
  /** Who we are, for mTLS. */
  readonly identity?: { readonly key: string; readonly chain: string };
  /** The node, for errors. */
  readonly node: string;
}

/** Throws `master-unreachable`, `bad-answer`, or the code the master answers with. */
export async function postJson<T>(options: PostOptions<T>): Promise<T> {
  const url = new URL(options.path, options.endpoint);
  const { status, text } = await exchange(url, options).catch((error: unknown) => {
    throw new SpillwayError(`the master at ${options.endpoint} can't be reached: ${describeError(error)}`, {
      code: "master-unreachable",
      where: options.node,
      hint: "check that the master runs, and that this machine can dial its endpoint",
      cause: error,
    });
  });
  const content = parseJson(text);
  if (status >= 400) throw refusal(status, content, options.node);
  const parsed = options.reply.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new SpillwayError(`the master's answer to ${options.path} makes no sense: ${z.prettifyError(parsed.error)}`, {
    code: "bad-answer",
    where: options.node,
  });
}

function exchange(url: URL, options: PostOptions<unknown>): Promise<{ status: number; text: string }> {
  const body = JSON.stringify(options.body);
  return new Promise((resolve, reject) => {
    const call = request(url, {
      method: "POST",
      ca: options.ca,
      ...(options.identity === undefined ? {} : { key: options.identity.key, cert: options.identity.chain }),
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      // A connection of its own either way: with one that is made here the agent must not be named.
      ...(options.dialVia === undefined ? { agent: false as const } : connectionVia(options)),
      signal: AbortSignal.timeout(timeoutMs),
    });
    call.on("error", (error) => reject(error.name === "AbortError" ? new Error(`no answer within ${timeoutMs / 1000} s`) : error));
    call.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > maxAnswerBytes) response.destroy(new Error(`the answer is larger than ${maxAnswerBytes} bytes`));
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }));
    });
    call.end(body);
  });
}

function refusal(status: number, content: unknown, node: string): SpillwayError {
  const parsed = apiError.safeParse(content);
  if (!parsed.success) return new SpillwayError(`the master answered with HTTP ${status}`, { code: "bad-answer", where: node });
  const { code, message, hint } = parsed.data.error;
  return new SpillwayError(message, { code, where: node, ...(hint === undefined ? {} : { hint }) });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
