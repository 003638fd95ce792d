/** One call of the EC2 query protocol, as an SDK sends it. */
import type { IncomingHttpHeaders } from "node:http";

export interface Ec2Call {
  readonly action: string;
  readonly region: string;
  readonly parameters: URLSearchParams;
}

/** Undefined when the request is for another service (STS, Pricing): those are told apart by the credential's scope. */
export function ec2Call(headers: IncomingHttpHeaders, body: string): Ec2Call | undefined {
  // Signature Version 4: Credential=key/date/region/service/aws4_request.
  const [, region, service] = /Credential=[^/]+\/\d+\/([a-z0-9-]+)\/([a-z0-9-]+)\//.exec(headers.authorization ?? "") ?? [];
  const parameters = new URLSearchParams(body);
  const action = parameters.get("Action");
  return service === "ec2" && region !== undefined && action !== null ? { action, region, parameters } : undefined;
}

/** `InstanceId.1`, `InstanceId.2` … */
export function listOf(parameters: URLSearchParams, name: string): string[] {
  const found: string[] = [];
  for (let number = 1; parameters.has(`${name}.${number}`); number++) found.push(parameters.get(`${name}.${number}`) ?? "");
  return found;
}

/** `Filter.1.Name`, `Filter.1.Value.1` … as name → values. */
export function filtersOf(parameters: URLSearchParams): Map<string, string[]> {
  const filters = new Map<string, string[]>();
  for (let number = 1; parameters.has(`Filter.${number}.Name`); number++) {
    filters.set(parameters.get(`Filter.${number}.Name`) ?? "", listOf(parameters, `Filter.${number}.Value`));
  }
  return filters;
}

/** The same call without one of its filters. */
export function withoutFilter(parameters: URLSearchParams, name: string): URLSearchParams {
  const kept = new URLSearchParams([...parameters].filter(([key]) => !key.startsWith("Filter.")));
  let number = 0;
  for (const [filter, values] of filtersOf(parameters)) {
    if (filter === name) continue;
    number++;
    kept.set(`Filter.${number}.Name`, filter);
    for (const [at, value] of values.entries()) kept.set(`Filter.${number}.Value.${at + 1}`, value);
  }
  return kept;
}
