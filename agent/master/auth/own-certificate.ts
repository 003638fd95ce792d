/** The master's own serving certificate: made in memory from the intermediate when it starts, and again before it ends. */
import { addressOf } from "../../contract/endpoint.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { type IssuedCertificate, issueServerCertificate, type KeyedCertificate } from "./certificates.ts";

const servingDays = 30;

/** The hosts by which the master may be reached: the endpoint's, the one it listens on, and this computer. */
export function servingHosts(config: { readonly endpoint: string; readonly listen: { readonly host: string } }): string[] {
  let endpointHost: string;
  try {
    endpointHost = addressOf(config.endpoint).host;
  } catch (cause) {
    throw new SpillwayError(`"${config.endpoint}" is not a URL`, {
      code: "invalid-config",
      where: "endpoint",
      hint: "Write https://host:port.",
      cause,
    });
  }
  // Listening everywhere is no name to be called by.
  const own = ["0.0.0.0", "::"].includes(config.listen.host) ? [] : [config.listen.host];
  return [...new Set([endpointHost, ...own, "localhost", "127.0.0.1"])].map((host) => host.toLowerCase());
}

export function ownCertificate(
  issuer: KeyedCertificate,
  hosts: readonly string[],
  now: number,
): Promise<KeyedCertificate & IssuedCertificate> {
  return issueServerCertificate({ issuer, hosts, days: servingDays, now });
}
