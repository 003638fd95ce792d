/**
 * How the plugin double talks to Azure Resource Manager, as Pulumi's azure-native does (pulumi/pulumi-azure-native,
 * provider/pkg/azure/client_azcore.go): PUT and look until it is done, DELETE and look until it is gone, errors as
 * `Status=409 Code="…" Message="…"`, and again where too much was asked or the other side has failed.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Bag } from "../input-facts.ts";

export interface AzureContext {
  readonly endpoint: string;
  readonly token: string;
  readonly subscription: string;
  /** The provider's `location`. */
  readonly location: string | undefined;
  readonly signal: AbortSignal;
  /** Seconds, as `customTimeouts` say. */
  readonly timeoutSeconds: number | undefined;
}

export class AzureError extends Error {
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(code === "" ? `Status=${status} Message="${message}"` : `Status=${status} Code="${code}" Message="${message}"`);
    this.status = status;
  }
}

/** What was taken on and came to nothing: there is something. */
export class AcceptedButFailed extends Error {}

interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Bag | undefined;
}

/** Those of azcore's retry policy (sdk/azcore/runtime, policy_retry.go), which azure-native takes over with three retries. */
const retried = new Set([408, 429, 500, 502, 503, 504]);
const maxRetries = 3;
/** ms; azure-native itself waits 20, 60 and 120 s, and looks every 10 s (30 s for a deletion). */
const retryMs = 100;
const lookMs = 100;
/** azure-native's own, of every operation (provider/pkg/provider/provider.go, azureContext). */
const defaultTimeoutSeconds = 2 * 3600;

/** Undefined when there is no such thing. */
export async function read(id: string, apiVersion: string, context: AzureContext): Promise<Bag | undefined> {
  const { status, body } = await call("GET", withVersion(id, apiVersion), undefined, context);
  if (status === 404) return undefined;
  if (status !== 200) throw errorOf(status, body);
  return body;
}

export async function put(id: string, apiVersion: string, body: Bag, context: AzureContext): Promise<void> {
  const told = await call("PUT", withVersion(id, apiVersion), body, context);
  if (![200, 201, 202].includes(told.status)) throw errorOf(told.status, told.body);
  try {
    await untilDone(told, context);
  } catch (cause) {
    throw new AcceptedButFailed((cause as Error).message, { cause });
  }
}

/** One that is gone already is fine. */
export async function remove(id: string, apiVersion: string, context: AzureContext): Promise<void> {
  const told = await call("DELETE", withVersion(id, apiVersion), undefined, context);
  if (told.status === 404) return;
  if (![200, 202, 204].includes(told.status)) throw errorOf(told.status, told.body);
  await untilDone(told, context);
}

async function untilDone({ headers }: Told, context: AzureContext): Promise<void> {
  const [operation, location] = [headers.get("azure-asyncoperation"), headers.get("location")];
  const url = operation ?? location;
  if (url === null) return;
  const deadline = Date.now() + (context.timeoutSeconds ?? defaultTimeoutSeconds) * 1000;
  for (;;) {
    const { status, body } = await call("GET", url, undefined, context);
    if (![200, 201, 202, 204].includes(status)) throw errorOf(status, body);
    const state = operation === null ? (status === 202 ? "InProgress" : "Succeeded") : String(body?.status);
    if (state === "Succeeded") return;
    if (state === "Failed" || state === "Canceled") throw errorOf(status, body);
    if (context.signal.aborted) throw new Error("operation was canceled");
    if (Date.now() > deadline) throw new Error("context deadline exceeded");
    await delay(lookMs);
  }
}

async function call(method: string, where: string, body: Bag | undefined, context: AzureContext): Promise<Told> {
  for (let retries = 0; ; retries++) {
    const response = await fetch(new URL(where, context.endpoint), {
      method,
      headers: { authorization: `Bearer ${context.token}`, accept: "application/json", "content-type": "application/json; charset=utf-8" },
      signal: context.signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!retried.has(response.status) || retries === maxRetries)
      return { status: response.status, headers: response.headers, body: text === "" ? undefined : (JSON.parse(text) as Bag) };
    const seconds = Number(response.headers.get("retry-after"));
    await delay(seconds > 0 ? seconds * 1000 : retryMs, undefined, { signal: context.signal });
  }
}

function withVersion(id: string, apiVersion: string): string {
  return `${id}?api-version=${apiVersion}`;
}

function errorOf(status: number, body: Bag | undefined): AzureError {
  const { code = "", message = JSON.stringify(body ?? {}) } = (body?.error ?? {}) as { code?: string; message?: string };
  return new AzureError(status, code, message);
}
