/** A person's own way onto a machine: an interactive shell, or one command, with its streams and its exit code. */
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import type { Client, ClientChannel } from "ssh2";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import { commandLine } from "../commands/shell.ts";
import { openConnection } from "./connection.ts";

export interface ShellStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** A terminal to put a shell on; `process.stdin` and `process.stdout` are one where they are TTYs. */
export interface Terminal {
  readonly stdin: Readable & { setRawMode(on: boolean): unknown };
  readonly stdout: Writable & { readonly columns?: number; readonly rows?: number };
  /** The terminal's kind, as TERM says. */
  readonly kind: string;
}

/**
 * A login shell on the terminal, until it ends; returns its exit code.
 * Throws what `openConnection` throws, `no-shell` and `ssh-lost`; the terminal is as it was in any case.
 */
export function openShell(machine: Machine, { stdin, stdout, kind }: Terminal): Promise<number> {
  const size = () => ({ rows: stdout.rows ?? 24, cols: stdout.columns ?? 80 });
  return overChannel(
    machine,
    (client, done) => client.shell({ term: kind, ...size() }, done),
    async (channel, where) => {
      const resize = () => channel.setWindow(size().rows, size().cols, 0, 0);
      stdout.on("resize", resize);
      stdin.setRawMode(true);
      try {
        return await carry(channel, { stdin, stdout, stderr: stdout }, where);
      } finally {
        stdin.setRawMode(false);
        stdout.off("resize", resize);
      }
    },
  );
}

/** One command (argv; no shell is put before it), without a terminal; returns its exit code, 128 + the signal's number when one ended it. */
export function runOnMachine(machine: Machine, argv: readonly string[], streams: ShellStreams): Promise<number> {
  return overChannel(
    machine,
    (client, done) => client.exec(commandLine(argv), done),
    (channel, where) => carry(channel, streams, where),
  );
}

type ChannelDone = (error: Error | undefined, channel: ClientChannel) => void;

/** `use` is called in the very turn in which the channel opens: a short command's end comes in the same packet, and is told once. */
async function overChannel(
  machine: Machine,
  open: (client: Client, done: ChannelDone) => void,
  use: (channel: ClientChannel, where: string) => Promise<number>,
): Promise<number> {
  const where = whereOf(machine);
  const { client, close } = await openConnection(machine, where);
  try {
    // Told by the channel's end; without a listener it would end the process.
    client.on("error", () => undefined);
    return await new Promise<number>((resolve, reject) => {
      client.once("close", () => reject(lost(where)));
      open(client, (error, channel) => (error === undefined ? resolve(use(channel, where)) : reject(refused(error, where))));
    });
  } finally {
    close();
  }
}

function refused(cause: Error, where: string): SpillwayError {
  const hint = "Its SSH server must allow its user a shell and commands.";
  return new SpillwayError(`it lets us in, but starts nothing for us: ${cause.message}`, { code: "no-shell", where, cause, hint });
}

function lost(where: string): SpillwayError {
  const hint = "What ran there may go on. Look whether the machine is on and reachable.";
  return new SpillwayError("the SSH connection broke", { code: "ssh-lost", where, hint });
}

/** Copies until the other side closes the channel. Our input may stay open: nobody waits for it then. */
async function carry(channel: ClientChannel, { stdin, stdout, stderr }: ShellStreams, where: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let code: number | undefined;
  channel.on("exit", (status: number | null, signal?: string) => {
    code = status ?? 128 + (constants.signals[`SIG${(signal ?? "").replace(/^SIG/, "")}` as keyof typeof constants.signals] ?? 0);
  });
  channel.once("close", () => {
    if (code === undefined) reject(lost(where));
    else resolve(code);
  });
  channel.on("error", reject);
  // A reader of ours that is gone (`| head`) is told to the process by its own stream; the command is ended here.
  const onGone = () => channel.close();
  stdout.once("error", onGone);
  channel.pipe(stdout, { end: false });
  channel.stderr.pipe(stderr, { end: false });
  stdin.pipe(channel);
  try {
    return await promise;
  } finally {
    stdin.unpipe(channel);
    stdin.pause();
    stdout.off("error", onGone);
  }
}
