/** Parses the command line, loads the one verb that was typed, runs it, and turns what it throws into a sentence and an exit code. */
import { Command, CommanderError } from "commander";
import { describeError, SpillwayError } from "../agent/contract/errors.ts";
import { productVersion } from "../agent/contract/version.ts";
import { outputOption, usageError } from "./command-options.ts";
import { clearStatus, say, status } from "./output.ts";

export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** Imports the verb's module and returns the function that registers it. */
  readonly load: () => Promise<(program: Command) => void>;
}

/** Exit codes; `run` ends with its job's own code instead. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  changesFound: 3,
  ownFailureOfRun: 125,
  interrupted: 130,
  closedPipe: 141,
  terminated: 143,
} as const;

const epilogue = `
Exit codes:
  0    done
  1    it failed: the sentence on stderr says why and what to do next
  2    wrong use of the command line
  3    preview --expect-no-changes: something would change
  fsck 0 when nothing is wrong, 1 when something is left
  run  the job's own code (an array: of its first failing index); 125 when there is none, because
       Spillway could not run the job or it was cancelled elsewhere
  130  ended by Ctrl-C (run: after cancelling or detaching), 143 by SIGTERM (run: detached)

Environment:
  SPILLWAY_ENV        the environment, instead of --env
  SPILLWAY_STATE_DIR  where the environments' contexts are (default: .spillway beside this program)
  SPILLWAY_DRAIN      how long the tasks of a node that is removed have to end: 30m, or force (default 5 min)
  SPILLWAY_DEBUG=1    shows stack traces
  NO_COLOR            no colours

Examples:
  spillway up local
  spillway run --cpu 1 -- echo hello
  spillway pool --watch
  spillway run --help`;

/** Planned and refused by name, so that nobody looks for a typing error. */
const notYet = ["apply", "exec", "top", "services", "secrets", "backup", "catalog"];
const notYetOf: Record<string, readonly string[]> = {
  burst: ["simulate"],
};

/** Runs one command line and ends the process with its code. */
export async function dispatch(verbs: readonly Verb[], argv: readonly string[]): Promise<never> {
  // A closed reader (`| head`) is no failure to tell about.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCodes.closedPipe);
    throw error;
  });
  // Work under way goes on when nobody reads what is told beside the result, as after a terminal was closed. Unheard, the error would be
  // an uncaught exception, which Pulumi's SDK reports on the same stream, which fails, and so on for ever.
  process.stderr.on("error", () => undefined);
  const code = await runLine(verbs, argv);
  // A library may hold handles open; what was written must still arrive.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write("", done))));
  process.exit(code);
}

/** Runs one command line and returns its exit code; never throws. */
export async function runLine(verbs: readonly Verb[], argv: readonly string[]): Promise<number> {
  try {
    const program = await buildProgram(verbs, argv);
    await program.parseAsync(argv, { from: "user" });
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (error) {
    return report(error);
  } finally {
    clearStatus();
  }
}

/** Tells an error on stderr and returns the exit code it deserves. */
export function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  say(describeError(error));
  if (process.env.SPILLWAY_DEBUG === "1") {
    for (let at: unknown = error; at instanceof Error; at = at.cause) say(at.stack ?? at.message);
  } else if (!(error instanceof SpillwayError)) {
    say("  This was not expected. SPILLWAY_DEBUG=1 shows where it comes from.");
  }
  const isUsage = error instanceof SpillwayError && (error.code === "usage" || error.code === "which-environment");
  return isUsage ? exitCodes.usage : exitCodes.failure;
}

async function buildProgram(verbs: readonly Verb[], argv: readonly string[]): Promise<Command> {
  const [first, second] = operandsOf(argv);
  const typed = first === "help" ? second : first;
  refuseNotYet(typed, first === "help" ? undefined : second);
  const program = new Command("spillway")
    .description("One pool of machines anywhere.")
    .version(`spillway ${productVersion}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .option("--env <name>", "the environment (else SPILLWAY_ENV, or the only one there is)")
    .addOption(outputOption())
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "")) })
    .addHelpText("after", epilogue);
  program.showHelpAfterError(
    typed !== undefined && verbs.some((verb) => verb.name === typed) ? `See: spillway ${typed} --help` : "See: spillway --help",
  );
  program.hook("preAction", (_, action) => refuseTwoEnvironments(program, action));
  for (const verb of verbs) {
    if (verb.name === typed) (await telling(verb.name, verb.load()))(program);
    else program.command(verb.name).description(verb.summary);
  }
  return program;
}

/** `--env prod destroy local`: which of the two is meant must not be guessed. */
function refuseTwoEnvironments(program: Command, action: Command): void {
  const { env } = program.opts<{ env?: string }>();
  const named = action.registeredArguments[0]?.name() === "environment" ? action.args[0] : undefined;
  if (env === undefined || named === undefined || env === named) return;
  throw usageError(`two environments were given, --env ${env} and ${named}`, `Leave one out: spillway ${action.name()} ${named}`);
}

/** Loading a verb may take a moment on a slow machine; on a terminal nothing waits in silence. */
async function telling<T>(verb: string, loading: Promise<T>): Promise<T> {
  const timer = setTimeout(() => status(`starting ${verb} …`), Math.max(0, silenceMs - performance.now()));
  if (!process.stderr.isTTY) clearTimeout(timer);
  return loading.finally(() => clearTimeout(timer));
}

/** Since the process began. */
const silenceMs = 150;

function refuseNotYet(verb: string | undefined, noun: string | undefined): void {
  if (verb === undefined) return;
  const words = notYet.includes(verb) ? verb : noun !== undefined && notYetOf[verb]?.includes(noun) ? `${verb} ${noun}` : undefined;
  if (words === undefined) return;
  throw new SpillwayError(`"spillway ${words}" is not available in this version`, {
    code: "usage",
    hint: "`spillway --help` lists what is.",
  });
}

/** The words before `--` that are neither options nor the values of the program's own options. */
function operandsOf(argv: readonly string[]): string[] {
  const operands: string[] = [];
  for (let at = 0; at < argv.length && argv[at] !== "--"; at += 1) {
    const word = argv[at] ?? "";
    if (word === "--env" || word === "--output" || word === "-o") at += 1;
    else if (!word.startsWith("-")) operands.push(word);
  }
  return operands;
}
