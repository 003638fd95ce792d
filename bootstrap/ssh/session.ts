/** One SSH connection to a machine: its host key is checked before anything is sent, then commands run over it. */
import type { Client, ClientChannel } from "ssh2";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import { commandLine } from "../commands/shell.ts";
import { openConnection } from "./connection.ts";

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

const commandTimeoutMs = 60_000;
/** What a command may print; bootstrap commands print little, and a hostile host must not fill our memory. */
const maxOutputBytes = 4 * 1024 * 1024;

/** Throws what `openConnection` throws. */
export async function connectSession(machine: Machine): Promise<Session> {
  const where = whereOf(machine);
  const { client, close } = await openConnection(machine, where);
  return sessionOver(client, where, close);
}

function sessionOver(client: Client, where: string, close: () => void): Session {
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
    close,
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
