/**
 * The one way to touch a machine: `read` looks, `change` acts. Each change bears a sentence for people; the sentences
 * are the dry run, the live status and the log.
 */
import type { CrashPoint } from "../agent/contract/crash-point.ts";
import { withCrashPoint } from "../agent/contract/crash-point.ts";
import { SpillwayError } from "../agent/contract/errors.ts";
import { answersOf, inOneGo } from "./commands/in-one-go.ts";
import { readable } from "./commands/shell.ts";
import type { CommandResult, RunOptions, Session } from "./ssh/session.ts";

export interface Remote {
  /** Runs a command that changes nothing. Any exit code is a result. */
  read(argv: readonly string[], options?: RunOptions): Promise<CommandResult>;
  /**
   * Runs commands that change nothing and need no input in one go, each being a journey to the machine otherwise. What they
   * print (but not on stderr) is what `read` answers for them until the next change.
   */
  prefetch(commands: readonly (readonly string[])[]): Promise<void>;
  /**
   * Runs a command that changes the machine and returns what it printed. In a dry run it only tells the sentences, of which
   * there is one for each thing that it does. Throws `remote-command-failed` with the command's own last words.
   */
  change(point: CrashPoint, sentence: string | readonly string[], argv: readonly string[], options?: ChangeOptions): Promise<string>;
  /**
   * The same machine with each command under `prefix`, e.g. sudo; the sentences are shared. `preamble` is written to each
   * command's standard input before its own: that of the prefix.
   */
  as(prefix: readonly string[], preamble?: string): Remote;
  /** The sentences of all changes so far. */
  readonly sentences: readonly string[];
}

export interface ChangeOptions extends RunOptions {
  /** What was fetched before is as true after it. */
  readonly leavesFetched?: boolean;
}

export interface RemoteOptions {
  readonly where: string;
  readonly dryRun?: boolean;
  readonly onSentence?: (sentence: string) => void;
}

export function remoteOver(session: Session, options: RemoteOptions): Remote {
  return remoteUnder(session, options, { prefix: [], sentences: [] });
}

function remoteUnder(
  session: Session,
  remote: RemoteOptions,
  { prefix, preamble, sentences }: { readonly prefix: readonly string[]; readonly preamble?: string; readonly sentences: string[] },
): Remote {
  const { where, dryRun = false, onSentence } = remote;
  const fetched = new Map<string, CommandResult>();
  const run = (argv: readonly string[], options?: RunOptions) =>
    session.run([...prefix, ...argv], preamble === undefined ? options : { ...options, preamble });
  return {
    sentences,
    as: (words, before) =>
      remoteUnder(session, remote, { prefix: words, sentences, ...(before === undefined ? {} : { preamble: before }) }),
    read: async (argv, options) => (options === undefined ? fetched.get(keyOf(argv)) : undefined) ?? (await run(argv, options)),
    async prefetch(wanted) {
      const commands = [...new Map(wanted.map((argv) => [keyOf(argv), argv])).values()];
      const { argv, marker } = inOneGo(commands);
      const answers = answersOf((await run(argv)).stdout, marker);
      // What is missing is asked for by itself when it is wanted.
      for (const [index, answer] of answers.entries()) fetched.set(keyOf(commands[index] ?? []), answer);
    },
    async change(point, sentence, argv, { leavesFetched = false, ...options } = {}) {
      const told = typeof sentence === "string" ? [sentence] : sentence;
      for (const one of told) onSentence?.(one);
      sentences.push(...told);
      if (dryRun) return "";
      if (!leavesFetched) fetched.clear();
      const result = await withCrashPoint(point, () => run(argv, options));
      if (result.code === 0) return result.stdout;
      const words = readable(`${result.stderr}\n${result.stdout}`.trim().split("\n").slice(-4).join(" · "));
      throw new SpillwayError(`could not ${told.join(", ")}: ${words === "" ? `the command ended with ${result.code}` : words}`, {
        code: /no space left on device/i.test(words) ? "disk-full" : "remote-command-failed",
        where,
        hint: /no space left on device/i.test(words)
          ? "Free some space there and run it again; nothing is left half-made."
          : "Run it again when that is mended; it goes on from here.",
      });
    },
  };
}

function keyOf(argv: readonly string[]): string {
  return argv.join("\0");
}
