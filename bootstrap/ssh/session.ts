/** One SSH connection to a machine: its host key is checked before anything is sent, then commands run over it. */
import type { Client, ClientChannel } from "ssh2";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import { commandLine } from "../commands/shell.ts";
import { type DialFailure, openConnection } from "./connection.ts";
import { type Patience, reconnecting } from "./reconnecting.ts";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Written before `stdin`; never part of what is logged or counted. */
  readonly preamble?: string;
  /** Written to the command's standard input, which is then closed. */
  readonly stdin?: string | Buffer | NodeJS.ReadableStream;
  readonly timeoutMs?: number;
  /** Bytes of stdin handed over so far; called often. */
  readonly onBytes?: (sent: number) => void;
}

export interface Session {
  /** Runs one command (argv; quoted here) and waits for its end. Throws `ssh-lost`, `no-shell` or `command-timeout`; a non-zero code is a result. */
  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult>;
  /** False when the connection has broken or was closed. */
  isOpen(): boolean;
  close(): void;
}

type Fail = (code: string, message: string, cause?: Error) => void;

const commandTimeoutMs = 60_000;
/** What a command may print; bootstrap commands print little, and a hostile host must not fill our memory. */
const maxOutputBytes = 4 * 1024 * 1024;

/** Tries once, or as patiently as it is told. Throws what `openConnection` throws. */
export async function connectSession(machine: Machine, patience: Patience = { forMs: 0 }): Promise<Session> {
  const where = whereOf(machine);
  const { client, close } = await reconnecting(() => openConnection(machine, where), patience);
  return sessionOver(client, where, close);
}

/** Commands over a connection that is there; `close` ends it. */
export function sessionOver(client: Client, where: string, close: () => void): Session {
  let lost: Error | undefined;
  /** Those who wait for an answer that a broken connection will not bring. */
  const waiting = new Set<Fail>();
  client.on("error", (error) => {
    lost = error;
  });
  client.on("close", () => {
    lost ??= new Error("it was closed");
    for (const fail of waiting) fail("ssh-lost", `the SSH connection broke: ${lost.message}`, lost);
  });
  return {
    async run(argv, options = {}) {
      const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
      const hint = "Nothing else is done on it; running the same command again goes on from here.";
      const fail: Fail = (code, message, cause) => reject(new SpillwayError(message, { code, where, cause, hint }));
      waiting.add(fail);
      if (lost !== undefined) fail("ssh-lost", `the SSH connection broke: ${lost.message}`, lost);
      else {
        client.exec(commandLine(argv), (error: DialFailure | undefined, channel) => {
          if (error === undefined) collect(channel, options, resolve, fail);
          // A refusal bears a reason (RFC 4254, 5.1); it would be the same on another connection.
          else if (error.reason !== undefined) fail("no-shell", `it lets us in, but starts nothing for us: ${error.message}`, error);
          else fail("ssh-lost", `the SSH connection broke: ${error.message}`, error);
        });
      }
      try {
        return await promise;
      } finally {
        waiting.delete(fail);
      }
    },
    isOpen: () => lost === undefined,
    close() {
      lost ??= new Error("it was closed");
      close();
    },
  };
}

function collect(channel: ClientChannel, options: RunOptions, resolve: (result: CommandResult) => void, fail: Fail): void {
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

function sendInput(channel: ClientChannel, { preamble, stdin, onBytes }: RunOptions): void {
  if (preamble !== undefined) channel.write(preamble);
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
  // Nobody reads on when the command or the connection has ended; a file would stay open.
  channel.once("close", () => "destroy" in stdin && typeof stdin.destroy === "function" && stdin.destroy());
  stdin.pipe(channel);
}
