/** Runs a program of this machine to its end and keeps what it printed. */
import { spawn } from "node:child_process";

export interface ProgramResult {
  /** Exit code; 128 + signal when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Written to its standard input, which is empty otherwise. */
  readonly input?: string | Buffer;
  /** Replaces the environment altogether. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ended by force after this time; 2 min when not given. */
  readonly timeoutMs?: number;
  /** Told of each line of output as it comes. */
  readonly onLine?: (line: string) => void;
}

/** Signals a program may end by here, as a shell would tell them. */
const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGPIPE: 13,
  SIGTERM: 15,
};

export function runProgram(argv: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  const [program = "", ...words] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {
      stdio: ["pipe", "pipe", "pipe"],
      timeout: options.timeoutMs ?? 120_000,
      killSignal: "SIGKILL",
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
    for (const stream of options.onLine === undefined ? [] : [child.stdout, child.stderr]) {
      let rest = "";
      stream.on("data", (chunk: Buffer) => {
        const lines = (rest + chunk.toString()).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) options.onLine?.(line);
      });
    }
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const stdout = Buffer.concat(output).toString();
      resolve({ code: code ?? 128 + (signalNumbers[signal ?? ""] ?? 0), stdout, stderr: Buffer.concat(errors).toString() });
    });
    // A program that does not read its input to the end closes the pipe: its exit code tells.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input);
  });
}

/** Its standard output; throws with what it said when its exit code is not 0. */
export async function outputOf(argv: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runProgram(argv, options);
  if (code === 0) return stdout;
  throw new Error(`${argv.join(" ")}: exit code ${code}: ${(stderr.trim() || stdout.trim()).slice(-2000)}`);
}
