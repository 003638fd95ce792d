/** The transport under client.ts: keep-alive HTTPS that trusts one CA, NDJSON with backpressure, and faults told as SpillwayErrors. */

import type { IncomingMessage } from "node:http";
import { Agent, type RequestOptions, request } from "node:https";
import { z } from "zod";
import { apiError } from "./api.ts";
import { SpillwayError } from "./errors.ts";

export interface ConnectionOptions {
  /** The master's https URL, with port. */
  readonly url: string;
  /** The environment's root CA, PEM: the only one that is trusted. */
  readonly ca: string;
  /** The admin token; not needed for `health` and `join`. */
  readonly token?: string;
  /** The environment's name, for the next step in an error's hint. */
  readonly environment?: string;
  /** How long TCP and TLS may take. */
  readonly connectTimeoutMs?: number;
  /** How long a whole answer, or a stream's first byte, may take once connected. Followed streams have no limit after it. */
  readonly answerTimeoutMs?: number;
}

/** Keep-alive HTTPS calls that trust one CA only, with faults told as SpillwayErrors. */
export function connect(options: ConnectionOptions) {
  const agent = new Agent({ ca: options.ca, keepAlive: true, keepAliveMsecs: 15_000, maxFreeSockets: 8 });
  const answerTimeoutMs = options.answerTimeoutMs ?? defaultAnswerTimeoutMs;
  const disposed = new AbortController();

  async function answer<T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<{ status: number; body: T }> {
    const deadline = AbortSignal.timeout(answerTimeoutMs + (options.connectTimeoutMs ?? defaultConnectTimeoutMs));
    const response = await dial(options, agent, { method, path, body, deadline, signal: disposed.signal });
    const status = response.statusCode ?? 0;
    const text = await readAll(response, options, `${method} ${path}`, deadline);
    if (status >= 400) throw errorOf(status, text, `${method} ${path}`);
    return { status, body: parse(schema, text, `${method} ${path}`) };
  }

  /** Reads on only when the consumer asks for more, so a slow consumer slows the sender down. */
  async function* lines<T>(path: string, schema: z.ZodType<T>, signal?: AbortSignal): AsyncGenerator<T, void> {
    if (signal?.aborted) return;
    const dialled = dial(options, agent, { method: "GET", path, body: undefined, signal });
    const response = await dialled.catch((error: unknown) => {
      if (signal?.aborted) return undefined;
      throw error;
    });
    if (response === undefined) return;
    const status = response.statusCode ?? 0;
    if (status >= 400) throw errorOf(status, await readAll(response, options, `GET ${path}`), `GET ${path}`);
    try {
      for await (const line of splitLines(response, path)) yield parse(schema, line, `GET ${path}`);
    } catch (error) {
      if (signal?.aborted) return;
      throw error instanceof SpillwayError ? error : interrupted(options, error);
    } finally {
      response.destroy();
    }
  }

  const json = async <T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> =>
    (await answer(method, path, schema, body)).body;
  const dispose = () => {
    disposed.abort();
    agent.destroy();
  };
  return { answer, json, lines, dispose };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  /** Ends the call with `master-timeout`. */
  readonly deadline?: AbortSignal;
  /** Ends the call because the caller no longer wants it. */
  readonly signal?: AbortSignal | undefined;
}

/** Sends one request and resolves with the response's head. */
function dial(options: ConnectionOptions, agent: Agent, call: Call, again = false): Promise<IncomingMessage> {
  const payload = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
  const headers: Record<string, string | number> = { accept: "application/json" };
  if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`;
  if (payload !== undefined) headers["content-type"] = "application/json";
  if (payload !== undefined || call.method !== "GET") headers["content-length"] = payload?.length ?? 0;
  const settings: RequestOptions = { agent, method: call.method, headers };
  const wanted = [call.deadline, call.signal].filter((signal) => signal !== undefined);
  if (wanted.length > 0) settings.signal = wanted.length === 1 && wanted[0] !== undefined ? wanted[0] : AbortSignal.any(wanted);

  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(call.path, options.url), settings);
    const timeout = (afterMs: number, what: string): NodeJS.Timeout =>
      setTimeout(() => outgoing.destroy(timedOut(options, what, afterMs)), afterMs);
    let timer: NodeJS.Timeout | undefined;
    let isConnected = false;
    outgoing.on("socket", (socket) => {
      const answerMs = options.answerTimeoutMs ?? defaultAnswerTimeoutMs;
      const connected = (): void => {
        isConnected = true;
        clearTimeout(timer);
        timer = timeout(answerMs, `${call.method} ${call.path} had no answer`);
      };
      if (!socket.connecting) return connected();
      timer = timeout(options.connectTimeoutMs ?? defaultConnectTimeoutMs, "the connection could not be made");
      socket.once("secureConnect", connected);
      // the socket outlives this request
      outgoing.once("close", () => socket.off("secureConnect", connected));
    });
    outgoing.on("response", (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      // A kept connection that the master closed meanwhile is no fault: what may be repeated is sent once more.
      if (outgoing.reusedSocket && error.code === "ECONNRESET" && call.method !== "POST" && !again && call.signal?.aborted !== true) {
        resolve(dial(options, agent, call, true));
      } else reject(faultOf(options, error, { ...call, isConnected }));
    });
    outgoing.on("close", () => clearTimeout(timer));
    outgoing.end(payload);
  });
}

async function readAll(response: IncomingMessage, options: ConnectionOptions, what: string, deadline?: AbortSignal): Promise<string> {
  response.setEncoding("utf8");
  let text = "";
  try {
    for await (const chunk of response) {
      text += String(chunk);
      if (text.length > maxAnswerCharacters) throw unexpected(what, "it is longer than any real answer");
    }
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    if (deadline?.aborted) throw timedOut(options, `${what} was not answered in full`, options.answerTimeoutMs ?? defaultAnswerTimeoutMs);
    throw interrupted(options, error);
  }
  return text;
}

async function* splitLines(response: IncomingMessage, path: string): AsyncGenerator<string, void> {
  response.setEncoding("utf8");
  let rest = "";
  for await (const chunk of response) {
    const parts = String(chunk).split("\n");
    parts[0] = rest + (parts[0] ?? "");
    rest = parts.pop() ?? "";
    if (rest.length > maxLineCharacters) throw unexpected(`GET ${path}`, "a line is longer than any real one");
    for (const part of parts) if (part !== "") yield part;
  }
  if (rest.trim() !== "") yield rest;
}

function parse<T>(schema: z.ZodType<T>, text: string, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unexpected(what, "it is not JSON");
  }
  const result = schema.safeParse(value);
  if (!result.success) throw unexpected(what, z.prettifyError(result.error).split("\n").slice(0, 3).join(" "));
  return result.data;
}

function errorOf(status: number, text: string, what: string): SpillwayError {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const known = apiError.safeParse(value);
  if (!known.success) return unexpected(what, `HTTP status ${status}`);
  const { code, message, hint } = known.data.error;
  return new SpillwayError(message, hint === undefined ? { code } : { code, hint });
}

function unexpected(what: string, why: string): SpillwayError {
  return new SpillwayError(`the master's answer to ${what} is not understood: ${why}`, {
    code: "unexpected-answer",
    hint: "Is it a Spillway master of about this version? `spillway --version` and GET /v1/health tell both.",
  });
}

function interrupted(options: ConnectionOptions, cause: unknown): SpillwayError {
  return new SpillwayError(`the connection to the master at ${options.url} broke off`, {
    code: "stream-interrupted",
    hint: `The master may be restarting: try again. If it stays away, ${mend(options)}`,
    cause,
  });
}

function timedOut(options: ConnectionOptions, what: string, afterMs: number): SpillwayError {
  return new SpillwayError(`the master at ${options.url} is not answering: ${what} within ${Number((afterMs / 1000).toFixed(1))} s`, {
    code: "master-timeout",
    hint: mend(options),
  });
}

/** What OpenSSL and Node call a peer that is not the one the CA vouches for. */
const trustFault = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECRYPT)|^ERR_TLS|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)/;
const tlsFault = /^(EPROTO|ERR_SSL)/;

/** What ends a connection that was there: the request may have been carried out, or not. */
const brokenOff = /^(ECONNRESET|EPIPE|ECONNABORTED|ETIMEDOUT)$/;

function faultOf(options: ConnectionOptions, error: NodeJS.ErrnoException, call: Call & { readonly isConnected: boolean }): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const code = error.code ?? "";
  if (call.deadline?.aborted)
    return timedOut(options, `${call.method} ${call.path} had no answer`, options.answerTimeoutMs ?? defaultAnswerTimeoutMs);
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return new SpillwayError(
      `the certificate of the master at ${options.url} is ${code === "CERT_HAS_EXPIRED" ? "expired" : "not valid yet"}`,
      {
        code: "master-untrusted",
        hint: `Is this computer's clock right? If it is: ${mend(options)}`,
        cause: error,
      },
    );
  }
  if (trustFault.test(code)) {
    return new SpillwayError(
      `what answers at ${options.url} is not this environment's master: its certificate does not come from the CA in the context`,
      {
        code: "master-untrusted",
        hint: `Another program or another environment may use that port. ${mend(options)}`,
        cause: error,
      },
    );
  }
  if (tlsFault.test(code)) {
    return new SpillwayError(`what answers at ${options.url} does not speak TLS, so it is not a Spillway master`, {
      code: "master-untrusted",
      hint: `Another program may use that port. ${mend(options)}`,
      cause: error,
    });
  }
  if (call.isConnected && brokenOff.test(code)) return interrupted(options, error);
  return new SpillwayError(`the master at ${options.url} can't be reached: ${error.message || code}`, {
    code: "master-unreachable",
    hint: mend(options),
    cause: error,
  });
}

function mend(options: ConnectionOptions): string {
  return `\`./spillway up ${options.environment ?? "<environment>"}\` mends it.`;
}

const defaultConnectTimeoutMs = 5_000;
const defaultAnswerTimeoutMs = 30_000;
/** A master that answers more than this is broken; it must not fill the caller's memory. */
const maxAnswerCharacters = 256 * 1024 * 1024;
const maxLineCharacters = 64 * 1024 * 1024;
