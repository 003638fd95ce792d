/**
 * What this master signs with and serves by: the intermediate, taken anew when its files change, and its own certificate,
 * made anew with it and before it ends. Connections that are open stay.
 */
import { X509Certificate } from "node:crypto";
import type { MasterConfig } from "../../contract/agent-config.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { IssuedCertificate, KeyedCertificate } from "./certificates.ts";
import { readIntermediate, watchIntermediate } from "./intermediate.ts";
import { ownCertificate } from "./own-certificate.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** The serving certificate is made anew when it has less than this left. */
const renewBeforeMs = 10 * dayMs;
/** `up` renews the intermediate when it has 30 days left; who has not run it by then is told. */
const warnBeforeMs = 14 * dayMs;

export interface Signing {
  /** Signs nodes' certificates: the one in use now. */
  readonly issuer: () => KeyedCertificate;
  readonly serving: () => KeyedCertificate;
  /** Keeps both in good time; returns the way to end it. */
  readonly keep: (to: KeepOptions) => () => void;
}

export interface KeepOptions {
  /** Takes a new serving certificate into use. */
  readonly serve: (certificate: KeyedCertificate) => void;
  /** An event for people. */
  readonly tell: (kind: "intermediate-renewed" | "intermediate-ending", message: string) => void;
}

/** Throws a SpillwayError `file-unreadable` or `invalid-config`. */
export async function startSigning(given: {
  readonly config: MasterConfig;
  readonly rootCa: string;
  readonly hosts: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}): Promise<Signing> {
  const { config, rootCa, hosts, clock, log } = given;
  let issuer = await readIntermediate(config);
  let serving: KeyedCertificate & IssuedCertificate = await ownCertificate(issuer, hosts, clock.now());
  let warnedOf = "";

  async function use(next: KeyedCertificate, { serve }: KeepOptions): Promise<void> {
    // Made first: when that fails, nothing has changed.
    serving = await ownCertificate(next, hosts, clock.now());
    issuer = next;
    serve(serving);
  }

  async function renewServing(to: KeepOptions): Promise<void> {
    if (serving.expiresAt - clock.now() <= renewBeforeMs) await use(issuer, to);
  }

  function warnOfEnd({ tell }: KeepOptions): void {
    const end = new X509Certificate(issuer.certificate).validToDate;
    if (end.getTime() - clock.now() > warnBeforeMs || warnedOf === issuer.certificate) return;
    warnedOf = issuer.certificate;
    tell(
      "intermediate-ending",
      `The certificate this master signs with ends at ${end.toISOString()}, and the pool with it: run \`./spillway up\` once before`,
    );
  }

  return {
    issuer: () => issuer,
    serving: () => serving,
    keep(to) {
      warnOfEnd(to);
      const endings = [
        clock.every(hourMs, () => {
          warnOfEnd(to);
          void renewServing(to).catch((error: unknown) => log("error", "master", `its certificate can't be renewed: ${String(error)}`));
        }),
        watchIntermediate({
          files: config,
          rootCa,
          first: issuer,
          clock,
          log,
          async onNew(next) {
            await use(next, to);
            const end = new X509Certificate(next.certificate).validToDate.toISOString();
            to.tell("intermediate-renewed", `The master signs with a new intermediate certificate, good until ${end}`);
          },
        }),
      ];
      return () => {
        for (const end of endings) end();
      };
    },
  };
}
