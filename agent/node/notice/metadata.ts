/** One question to the metadata service of the cloud a machine runs in. It is plain HTTP, on a link-local address that never leaves the host. */
import { request } from "node:http";
import type { z } from "zod";

/** Of EC2 and of Azure alike (EC2 User Guide, "Access instance metadata"; Azure "Scheduled Events", "Endpoint discovery"). */
export const metadataAddress = "http://169.254.169.254";
/** Real answers have a few hundred bytes. */
const maxAnswerBytes = 64 * 1024;

export interface MetadataQuestion {
  /** With its query. */
  readonly path: string;
  readonly method?: "GET" | "PUT";
  readonly headers: Readonly<Record<string, string>>;
  /** For all of it. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface MetadataAnswer {
  readonly status: number;
  readonly body: string;
}

/** Resolves with whatever status there is. Throws when nobody answers in time, or with too much. Proxies are not asked. */
export function askMetadata(address: string, question: MetadataQuestion): Promise<MetadataAnswer> {
  const { path, method = "GET", headers, timeoutMs } = question;
  const { promise, resolve, reject } = Promise.withResolvers<MetadataAnswer>();
  const signal = AbortSignal.any([question.signal, AbortSignal.timeout(timeoutMs)]);
  const call = request(new URL(path, address), { method, headers, agent: false, signal }, (response) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    response.on("data", (part: Buffer) => {
      bytes += part.length;
      if (bytes > maxAnswerBytes) call.destroy(new Error(`${path} is longer than ${maxAnswerBytes} bytes`));
      else parts.push(part);
    });
    response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
    response.on("error", reject);
  });
  call.on("error", reject);
  call.end();
  return promise;
}

/** What an unexpected status means to whoever reads the log. */
export function unexpectedStatus(path: string, { status }: MetadataAnswer): Error {
  return new Error(`${path} is answered with status ${status}`);
}

/** An answer in the form that its documentation gives. Throws on any other. */
export function readAnswer<T>(form: z.ZodType<T>, body: string, what: string): T {
  try {
    return form.parse(JSON.parse(body));
  } catch (cause) {
    throw new Error(`${what} is answered in a form that is not the documented one`, { cause });
  }
}
