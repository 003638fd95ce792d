/** Service Quotas as the cloud of the tests answers for it: ListServiceQuotas of EC2, page by page (API reference). Moto has VPC's alone. */
import type { IncomingHttpHeaders } from "node:http";

/** What an account of some age may have, vCPUs by code: Standard, G and VT; on demand and spot. Enough for all that tests start. */
export const usualQuotas: Readonly<Record<string, number>> = {
  "L-1216C47A": 1152,
  "L-34B43A08": 1152,
  "L-DB2E81BA": 64,
  "L-3819A6DF": 64,
};

/** Its page's size at most, so that whoever asks has to turn pages. */
const pageSize = 3;

/** Undefined where another call, or another service's quotas, are asked for. */
export function serviceQuotasAnswer(
  headers: IncomingHttpHeaders,
  body: string,
  quotas: ReadonlyMap<string, number>,
): { readonly status: number; readonly body: string } | undefined {
  if (headers["x-amz-target"] !== "ServiceQuotasV20190624.ListServiceQuotas") return undefined;
  // Whoever signs for another service is refused (Signature Version 4).
  if (!/Credential=[^/]+\/\d+\/[a-z0-9-]+\/servicequotas\/aws4_request/.test(headers.authorization ?? "")) {
    const message = "Credential should be scoped to correct service: 'servicequotas'.";
    return { status: 400, body: JSON.stringify({ __type: "InvalidSignatureException", message }) };
  }
  const { ServiceCode, NextToken = "0" } = JSON.parse(body) as { ServiceCode: string; NextToken?: string };
  if (ServiceCode !== "ec2") return undefined;
  const [from, all] = [Number(NextToken), [...quotas]];
  const Quotas = all
    .slice(from, from + pageSize)
    .map(([QuotaCode, Value]) => ({ ServiceCode, QuotaCode, Value, Unit: "None", GlobalQuota: false }));
  const next = from + pageSize < all.length ? { NextToken: String(from + pageSize) } : {};
  return { status: 200, body: JSON.stringify({ Quotas, ...next }) };
}
