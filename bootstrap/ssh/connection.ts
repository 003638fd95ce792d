/** Opens an SSH connection, through jump hosts where there are some: the host key is judged before anything is sent. */
import type { Duplex } from "node:stream";
import ssh2, { type Client, type ClientChannel, type ServerHostKeyAlgorithm } from "ssh2";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { CredentialReference, JumpHost, Machine } from "../../agent/contract/machine.ts";
import { batchingSocket } from "./batching-socket.ts";
import { type OpenCredential, openCredential } from "./credential.ts";
import { fingerprintOf } from "./host-key.ts";
import { sharedJump } from "./shared-jumps.ts";

/** What is needed to dial a host: a machine, or the jump host before it. */
export type SshAddress = Pick<Machine, "host" | "port" | "user" | "credential" | "hostKey" | "jump">;

export interface SshConnection {
  readonly client: Client;
  close(): void;
}

const connectTimeoutMs = 20_000;

/** A line on which so many questions for a sign of life in a row stay without an answer is broken. */
export interface Keepalive {
  readonly intervalMs: number;
  readonly unanswered: number;
}
const usualKeepalive: Keepalive = { intervalMs: 5000, unanswered: 4 };

/** One kind of key after the other: a host has several, and the pin may be of any. ssh2's own order is by strength. */
const keyKinds: readonly (readonly ServerHostKeyAlgorithm[] | undefined)[] = [
  undefined,
  ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"],
  ["rsa-sha2-512", "rsa-sha2-256"],
];

/**
 * Connects and logs in.
 * @param where names the machine in errors
 * @throws SpillwayError `host-key-unknown`, `host-key-mismatch`, `ssh-unreachable`, `ssh-auth-failed`, `credential-missing`, `secret-missing`.
 */
export async function openConnection(address: SshAddress, where: string, keepalive = usualKeepalive): Promise<SshConnection> {
  const { hostKey } = address;
  if (hostKey === undefined) {
    throw new SpillwayError("its SSH host key is not pinned, so nothing was sent to it", {
      code: "host-key-unknown",
      where,
      hint: "Write its fingerprint as hostKey: SHA256:… in the settings.",
    });
  }
  const credential = openCredential(address.credential, address.user, where);
  const through = await openJump(address.jump, where);
  let presented = "";
  try {
    for (const kinds of keyKinds) {
      const attempt = await dial(address, { through: through?.client, credential, kinds, keepalive, accept: (key) => key === hostKey });
      if ("client" in attempt) return { client: attempt.client, close: () => closeAll(attempt.client, through) };
      const offersOther = attempt.presented !== undefined && attempt.presented !== hostKey;
      const lacksKind = kinds !== undefined && attempt.presented === undefined;
      if (!offersOther && !lacksKind) throw connectFailure(attempt.error, address.credential, where);
      presented ||= attempt.presented ?? "";
    }
  } catch (error) {
    through?.close();
    throw error;
  }
  through?.close();
  throw new SpillwayError(`the host key is ${presented}, expected ${hostKey} (pinned)`, {
    code: "host-key-mismatch",
    where,
    hint: "Nothing was sent to it. If the machine was made anew on purpose: spillway nodes trust NODE compares the two keys and says how its new one is pinned.",
  });
}

/**
 * The fingerprints of all keys that a host presents, the one it would use with us first; no login is tried.
 * @throws SpillwayError `ssh-unreachable`, and what stands against its jump host.
 */
export async function presentedHostKeys(address: Omit<SshAddress, "hostKey">, where: string): Promise<[string, ...string[]]> {
  const through = await openJump(address.jump, where);
  const found = new Set<string>();
  try {
    for (const kinds of keyKinds) {
      const attempt = await dial(address, {
        through: through?.client,
        credential: {},
        kinds,
        keepalive: usualKeepalive,
        accept: () => false,
      });
      if ("client" in attempt) throw new Error("bug: a key was accepted that nobody wanted");
      if (attempt.presented !== undefined) found.add(attempt.presented);
      else if (found.size === 0) throw connectFailure(attempt.error, address.credential, where);
    }
  } finally {
    through?.close();
  }
  return [...found] as [string, ...string[]];
}

async function openJump(jump: JumpHost | undefined, where: string): Promise<SshConnection | undefined> {
  return jump === undefined ? undefined : await sharedJump(jump, where, (next, on) => openConnection(next, on));
}

interface DialOptions {
  readonly through: Client | undefined;
  readonly credential: OpenCredential;
  readonly kinds: readonly ServerHostKeyAlgorithm[] | undefined;
  readonly keepalive: Keepalive;
  readonly accept: (fingerprint: string) => boolean;
}
/** `level` is ssh2's, `code` the system's or ours, `reason` that of a jump host's refusal to forward (RFC 4254, 5.1). */
export type DialFailure = Error & { readonly level?: string; readonly code?: string | number; readonly reason?: number };

/** The `code` of the failure that is none of the system's: it hung up while we were not logged in yet, as a busy server does. */
export const hungUp = "HUNG_UP";

async function dial(
  address: Omit<SshAddress, "hostKey">,
  { through, credential, kinds, keepalive, accept }: DialOptions,
): Promise<{ client: Client } | { error: DialFailure; presented: string | undefined }> {
  const client = new ssh2.Client();
  let presented: string | undefined;
  let sock: Duplex | undefined;
  try {
    const taken = through === undefined ? batchingSocket(address) : await forward(through, address);
    sock = taken;
    await new Promise<void>((resolve, reject) => {
      client.once("ready", resolve);
      // `on`, not `once`: a refused connection may tell a second error, and one without a listener ends the process.
      client.on("error", reject);
      client.once("close", () => reject(Object.assign(new Error("it hung up before the login was complete"), { code: hungUp })));
      client.connect({
        sock: taken,
        username: address.user,
        ...credential,
        ...(kinds === undefined ? {} : { algorithms: { serverHostKey: [...kinds] } }),
        readyTimeout: connectTimeoutMs,
        keepaliveInterval: keepalive.intervalMs,
        keepaliveCountMax: keepalive.unanswered,
        hostVerifier: (key: Buffer) => {
          presented = fingerprintOf(key);
          return accept(presented);
        },
      });
    });
    return { client };
  } catch (error) {
    client.destroy();
    // The client may not have taken it yet.
    sock?.destroy();
    return { error: error as DialFailure, presented };
  }
}

/** The jump host's own attempt may take minutes: whoever waits has ended by then, and a channel that comes late is closed. */
function forward(through: Client, { host, port }: Pick<SshAddress, "host" | "port">): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const fail = (message: string, cause: DialFailure) =>
      reject(Object.assign(new Error(message, { cause }), { code: cause.code, reason: cause.reason }));
    const lost = () => fail("the connection to its jump host broke", Object.assign(new Error("closed"), { code: hungUp }));
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      through.off("close", lost);
      fail("its jump host can't reach it: no answer", Object.assign(new Error("no answer"), { code: "ETIMEDOUT" }));
    }, connectTimeoutMs);
    through.once("close", lost);
    through.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
      clearTimeout(timer);
      through.off("close", lost);
      if (error !== undefined) fail(`its jump host can't reach it: ${error.message}`, error);
      else if (isLate) channel.close();
      else resolve(channel);
    });
  });
}

function closeAll(client: Client, through: SshConnection | undefined): void {
  client.end();
  through?.close();
}

function connectFailure(error: DialFailure, credential: CredentialReference, where: string): SpillwayError {
  if (error instanceof SpillwayError) return error;
  if (error.level === "client-authentication") {
    const tried = credential.kind === "agent" ? "the keys of the ssh-agent" : `our SSH key ${credential.path}`;
    return new SpillwayError(`it refuses ${tried}`, {
      code: "ssh-auth-failed",
      where,
      cause: error,
      hint: "The key must stand in its user's authorized_keys there.",
    });
  }
  return new SpillwayError(`it does not answer over SSH: ${error.message}`, {
    code: "ssh-unreachable",
    where,
    cause: error,
    hint: "Look whether it is on and reachable, then run it again; it goes on from here.",
  });
}
