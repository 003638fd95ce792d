/** One SSH connection to a machine: its host key is checked before anything is sent, then commands run over it. */
import { readFileSync } from "node:fs";
import ssh2, { type Client, type ClientChannel } from "ssh2";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { commandLine } from "../commands/shell.ts";
import { hostKeyMatches } from "./host-key.ts";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Written to the command's standard input, which is then closed. */
  readonly stdin?: string | Buffer | NodeJS.ReadableStream;
  readonly timeoutMs?: number;
  /** Bytes of stdin handed over so far; called often. */
  readonly onBytes?: (sent: number) => void;
}

export interface Session {
  /** Runs one command (argv; quoted here) and waits for its end. Throws `ssh-lost` or `command-timeout`; a non-zero code is a result. */
  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult>;
  close(): void;
}

const connectTimeoutMs = 20_000;
const commandTimeoutMs = 60_000;
/** What a command may print; bootstrap commands print little, and a hostile host must not fill our memory. */
const maxOutputBytes = 4 * 1024 * 1024;

/** Throws `host-key-mismatch`, `host-key-unknown`, `ssh-unreachable`, `ssh-auth-failed` or `credential-missing`. */
export async function connectSession(machine: Machine): Promise<Session> {
  const where = `machine ${machine.name} (${machine.host}:${machine.port})`;
  const pinned = machine.hostKey;
  if (pinned === undefined) {
    throw new SpillwayError("its SSH host key is not pinned, so nothing was sent to it", {
      code: "host-key-unknown",
      where,
      hint: "Write its fingerprint as hostKey: SHA256:… in the settings.",
    });
  }
  const privateKey = readCredential(machine, where);
  const client = new ssh2.Client();
  let presented = "";
  await new Promise<void>((resolve, reject) => {
    client.once("ready", resolve);
    // `on`, not `once`: a refused connection may tell a second error, and one without a listener ends the process.
    client.on("error", (error) => reject(connectFailure(error, where, pinned, presented)));
    client.once("connect", () => {
      // Without it each small message waits 40 ms for the acknowledgement of the one before.
      client.setNoDelay(true);
    });
    client.connect({
      host: machine.host,
      port: machine.port,
      username: machine.user,
      privateKey,
      readyTimeout: connectTimeoutMs,
      keepaliveInterval: 5000,
      keepaliveCountMax: 4,
      hostVerifier: (key: Buffer) => {
        const check = hostKeyMatches(key, pinned);
        presented = check.presented;
        return check.matches;
      },
    });
  });
  return sessionOver(client, where);
}

function sessionOver(client: Client, where: string): Session {
  let lost: Error | undefined;
  client.on("error", (error) => {
    lost = error;
  });
  client.on("close", () => {
    lost ??= new Error("the connection was closed");
  });
  return {
    run(argv, options = {}) {
      return new Promise((resolve, reject) => {
        const line = commandLine(argv);
        const fail = (code: string, message: string, cause?: Error) =>
          reject(
            new SpillwayError(message, {
              code,
              where,
              cause,
              hint: "Nothing else is done on it; running the same command again goes on from here.",
            }),
          );
        if (lost !== undefined) return fail("ssh-lost", `the SSH connection broke: ${lost.message}`, lost);
        client.exec(line, (error, channel) => {
          if (error !== undefined) return fail("ssh-lost", `the SSH connection broke: ${error.message}`, error);
          collect(channel, options, resolve, fail);
        });
        return undefined;
      });
    },
    close: () => client.end(),
  };
}

function collect(
  channel: ClientChannel,
  options: RunOptions,
  resolve: (result: CommandResult) => void,
  fail: (code: string, message: string, cause?: Error) => void,
): void {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let bytes = 0;
  let code: number | undefined;
  const timeoutMs = options.timeoutMs ?? commandTimeoutMs;
  const timer = setTimeout(() => {
    fail("command-timeout", `a command did not end within ${timeoutMs / 1000} s`);
    channel.close();
  }, timeoutMs);
  const keep = (into: Buffer[]) => (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxOutputBytes) into.push(chunk);
  };
  channel.on("data", keep(stdout));
  channel.stderr.on("data", keep(stderr));
  channel.on("exit", (status: number | null) => {
    code = status ?? 255;
  });
  channel.on("close", () => {
    clearTimeout(timer);
    if (code === undefined) fail("ssh-lost", "the SSH connection broke while a command ran");
    else resolve({ code, stdout: Buffer.concat(stdout).toString("utf8"), stderr: Buffer.concat(stderr).toString("utf8") });
  });
  sendInput(channel, options);
}

function sendInput(channel: ClientChannel, options: RunOptions): void {
  const { stdin, onBytes } = options;
  if (stdin === undefined || typeof stdin === "string" || Buffer.isBuffer(stdin)) {
    channel.end(stdin);
    return;
  }
  let sent = 0;
  stdin.on("data", (chunk: Buffer) => {
    sent += chunk.length;
    onBytes?.(sent);
  });
  // The command then sees a short input and fails by its own check.
  stdin.on("error", () => channel.end());
  stdin.pipe(channel);
}

function readCredential(machine: Machine, where: string): Buffer {
  try {
    return readFileSync(machine.credential.path);
  } catch (cause) {
    throw new SpillwayError(`its SSH key ${machine.credential.path} can't be read: ${(cause as Error).message}`, {
      code: "credential-missing",
      where,
      cause,
      hint: "Put the key back, or make the machine anew.",
    });
  }
}

function connectFailure(error: Error & { level?: string }, where: string, pinned: string, presented: string): SpillwayError {
  if (presented !== "" && presented !== pinned) {
    return new SpillwayError(`the host key is ${presented}, expected ${pinned} (pinned)`, {
      code: "host-key-mismatch",
      where,
      cause: error,
      hint: "Nothing was sent to it. If the machine was made anew on purpose, pin its new key.",
    });
  }
  if (error.level === "client-authentication") {
    return new SpillwayError("it refuses our SSH key", {
      code: "ssh-auth-failed",
      where,
      cause: error,
      hint: "The key that its credential names must be allowed on it.",
    });
  }
  return new SpillwayError(`it does not answer over SSH: ${error.message}`, {
    code: "ssh-unreachable",
    where,
    cause: error,
    hint: "Look whether it is on and reachable, then run it again; it goes on from here.",
  });
}
