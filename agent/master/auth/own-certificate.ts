/** The master's own serving certificate: made in memory from the intermediate when it starts, and again before it ends. */
import type { MasterConfig } from "../../contract/agent-config.ts";
import { addressOf } from "../../contract/endpoint.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { type IssuedCertificate, issueServerCertificate, type KeyedCertificate } from "./certificates.ts";

const servingDays = 30;

/** The hosts by which the master may be reached: those of its URLs, the one it listens on, and this computer. Throws `invalid-config`. */
export function servingHosts({ endpoint, alsoAt = [], listen }: Pick<MasterConfig, "endpoint" | "alsoAt" | "listen">): string[] {
  const named = [hostOf(endpoint, "endpoint"), ...alsoAt.map((url, index) => hostOf(url, `alsoAt[${index}]`))];
  // Listening everywhere is no name to be called by.
  const own = ["0.0.0.0", "::"].includes(listen.host) ? [] : [listen.host];
  return [...new Set([...named, ...own, "localhost", "127.0.0.1"].map((host) => host.toLowerCase()))];
}

function hostOf(url: string, where: string): string {
  try {
    return addressOf(url).host;
  } catch (cause) {
    throw new SpillwayError(`"${url}" is not a URL`, { code: "invalid-config", where, hint: "Write https://host:port.", cause });
  }
}

export function ownCertificate(
  issuer: KeyedCertificate,
  hosts: readonly string[],
  now: number,
): Promise<KeyedCertificate & IssuedCertificate> {
  return issueServerCertificate({ issuer, hosts, days: servingDays, now });
}
