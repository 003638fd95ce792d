/**
 * The intermediate that this master signs with, read from its files and read anew when they change: `up` renews it, and no
 * restart is needed. Certificates of the former one stay good until they end, since each is shown with the one that signed it.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { MasterConfig } from "../../contract/agent-config.ts";
import { describeError, SpillwayError } from "../../contract/errors.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { KeyedCertificate } from "./certificates.ts";

type Files = Pick<MasterConfig, "intermediateCertFile" | "intermediateKeyFile">;

/** How often the files are looked at. */
const lookEveryMs = 5000;

/** Throws a SpillwayError `file-unreadable`. */
export async function readIntermediate(files: Files): Promise<KeyedCertificate> {
  return { certificate: await readConfigured(files.intermediateCertFile), key: await readConfigured(files.intermediateKeyFile) };
}

export interface WatchOptions {
  readonly files: Files;
  /** PEM. */
  readonly rootCa: string;
  /** What is in use when the watch begins. */
  readonly first: KeyedCertificate;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes the new one into use. */
  readonly onNew: (issuer: KeyedCertificate) => Promise<void>;
}

/** Returns the way to end it. */
export function watchIntermediate({ files, rootCa, first, clock, log, onNew }: WatchOptions): () => void {
  let inUse = first;
  let lastMark = "";
  let problem = { words: "", looks: 0 };
  let looking = false;

  async function look(): Promise<void> {
    const mark = await markOf(files);
    if (mark === lastMark) return;
    const found = await readIntermediate(files);
    if (found.certificate !== inUse.certificate || found.key !== inUse.key) {
      const words = intermediateProblem(found, rootCa, clock.now());
      // Certificate and key are two files: between the two writes they do not fit together, so it is looked at again.
      if (words !== undefined) return note(words);
      await onNew(found);
      inUse = found;
    }
    lastMark = mark;
    problem = { words: "", looks: 0 };
  }

  /** Told once, and not what is over by the next look. */
  function note(words: string): void {
    problem = { words, looks: words === problem.words ? problem.looks + 1 : 1 };
    if (problem.looks === 2) log("warn", "master", `the new intermediate certificate is not taken: ${words}`);
  }

  return clock.every(lookEveryMs, () => {
    if (looking) return;
    looking = true;
    look()
      .catch((error: unknown) => note(describeError(error)))
      .finally(() => {
        looking = false;
      });
  });
}

/** Why this certificate and key can't be signed with; undefined when they can. Pure but for the cryptography. */
export function intermediateProblem({ certificate, key }: KeyedCertificate, rootCa: string, now: number): string | undefined {
  try {
    const found = new X509Certificate(certificate);
    const root = new X509Certificate(rootCa);
    if (!found.checkPrivateKey(createPrivateKey(key))) return "its key is another one's";
    if (!found.ca) return "it is no authority";
    if (!found.checkIssued(root) || !found.verify(root.publicKey)) return "another root signed it";
    if (now >= found.validToDate.getTime()) return `it expired at ${found.validToDate.toISOString()}`;
    if (now < found.validFromDate.getTime()) return `it is valid from ${found.validFromDate.toISOString()} only: check this host's clock`;
    return undefined;
  } catch (error) {
    return `it can't be read: ${describeError(error)}`;
  }
}

/** Changes with either file. Rejects when one is not there. */
async function markOf(files: Files): Promise<string> {
  const stats = await Promise.all([stat(files.intermediateCertFile), stat(files.intermediateKeyFile)]);
  return stats.map(({ ino, mtimeMs, size }) => `${ino} ${mtimeMs} ${size}`).join();
}

/** Throws a SpillwayError `file-unreadable`. */
export async function readConfigured(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new SpillwayError("the master's configuration names a file that can't be read", {
      code: "file-unreadable",
      where: file,
      hint: "Put the environment up again: it writes the master's files anew.",
      cause,
    });
  }
}
