/**
 * The account's quotas, from the Service Quotas API. It has an SDK package of its own, of which one call would be used: the call
 * is made here, signed by the EC2 SDK's signer with the credentials that it finds.
 */
import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import { asSpillwayError } from "./problem.ts";

/** The call's answer, as far as it is read here (API reference, ListServiceQuotas). */
const page = z.object({
  Quotas: z.array(z.object({ QuotaCode: z.string().optional(), Value: z.number().optional() })).optional(),
  NextToken: z.string().nullish(),
});
const refusal = z.object({ __type: z.string().optional(), message: z.string().optional(), Message: z.string().optional() });

const target = "ServiceQuotasV20190624.ListServiceQuotas";
const service = "servicequotas";
const attempts = 4;
/** ms, for each page. */
const answerTimeout = 20_000;

/**
 * EC2's quotas in a region by code, as they hold for the account; one whose value AWS has only as a default is not among them.
 * Whoever asks needs `servicequotas:ListServiceQuotas`. AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_SERVICE_QUOTAS lead elsewhere.
 *
 * Throws what `asSpillwayError` says.
 */
export async function ec2Quotas(region: string, signal?: AbortSignal): Promise<Map<string, number>> {
  const { EC2Client } = await import("@aws-sdk/client-ec2");
  // One of its own: the signer writes the service's name into its client's configuration.
  const client = new EC2Client({ region });
  const base = process.env.AWS_ENDPOINT_URL_SERVICE_QUOTAS || process.env.AWS_ENDPOINT_URL;
  const url = new URL("/", base || `https://${service}.${region}.amazonaws.com`);
  const scheme = { name: "sigv4", signingName: service, signingRegion: region, properties: {} };
  const ask = async (body: string): Promise<Response> => {
    const signer = await client.config.signer(scheme);
    const { protocol, hostname, host, port, pathname: path } = url;
    const headers = { host, "content-type": "application/x-amz-json-1.1", "x-amz-target": target };
    const where = { protocol, hostname, path, ...(port === "" ? {} : { port: Number(port) }) };
    const signed = await signer.sign({ ...where, method: "POST", headers, body }, { signingService: service, signingRegion: region });
    const timeout = AbortSignal.timeout(answerTimeout);
    return await fetch(url, {
      method: "POST",
      headers: signed.headers,
      body,
      signal: AbortSignal.any([timeout, ...(signal ? [signal] : [])]),
    });
  };
  const quotas = new Map<string, number>();
  try {
    let token: string | null | undefined;
    do {
      const next = typeof token === "string" ? { NextToken: token } : {};
      const { Quotas = [], NextToken } = page.parse(
        await patiently(() => ask(JSON.stringify({ ServiceCode: "ec2", MaxResults: 100, ...next })), signal),
      );
      for (const { QuotaCode: code, Value: value } of Quotas) if (code !== undefined && value !== undefined) quotas.set(code, value);
      token = NextToken;
    } while (typeof token === "string" && token !== "");
    return quotas;
  } catch (error) {
    // Of a connection that failed `fetch` tells why in the cause.
    const why = error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
    throw asSpillwayError(why, `quotas of AWS ${region}`);
  } finally {
    client.destroy();
  }
}

/** The answer's JSON. Asked again when it was too often or AWS' own fault; throws an Error that is named as AWS names it. */
async function patiently(ask: () => Promise<Response>, signal: AbortSignal | undefined): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    const response = await ask();
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    const error = refusalOf(response.status, text);
    const isWorthIt = response.status >= 500 || /TooManyRequests|Throttling/.test(error.name);
    if (!isWorthIt || attempt === attempts) throw error;
    await wait(250 * 2 ** attempt * (0.5 + Math.random() / 2), undefined, signal === undefined ? {} : { signal });
  }
}

/** `__type` may hold a name space: `com.amazonaws.servicequotas#AccessDeniedException`. */
function refusalOf(status: number, text: string): Error {
  const { __type: type, message, Message } = refusal.safeParse(jsonOf(text)).data ?? {};
  const error = new Error(message ?? Message ?? `Service Quotas answered with HTTP ${status}`);
  error.name = type?.split("#").at(-1) ?? `HTTP ${status}`;
  return error;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
