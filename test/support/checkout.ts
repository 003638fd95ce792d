/** A copy of the working tree in a temporary directory, used as a stranger would use a clone, and taken away afterwards. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { processesOf } from "./leftovers.ts";
import { type CommandOutcome, outcomeOf } from "./outcome-of.ts";

export interface Checkout {
  readonly directory: string;
  /** Where its environment keeps its state. */
  readonly state: string;
  /** Runs `./spillway …` and waits for it. */
  spillway(words: readonly string[], options?: CheckoutRunOptions): Promise<CommandOutcome>;
  /** Runs any program in the copy. */
  run(program: string, words: readonly string[], options?: CheckoutRunOptions): Promise<CommandOutcome>;
  /** Starts `./spillway …` in a process group of its own and hands it over. */
  start(words: readonly string[], options?: CheckoutRunOptions): { child: ChildProcess; outcome: Promise<CommandOutcome> };
  /** Text of `git status --porcelain` in the copy. */
  gitStatus(): string;
  /** Ends every process that belongs to the copy and deletes it. */
  remove(): void;
}

export interface CheckoutRunOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly input?: string;
}

const repository = join(import.meta.dirname, "..", "..");

export function makeCheckout(environment = "local"): Checkout {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "spillway-e2e-")));
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], { cwd: repository, encoding: "utf8" }).split("\0");
  for (const file of files) {
    if (file === "" || !existsSync(join(repository, file))) continue;
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    cpSync(join(repository, file), join(directory, file));
  }
  symlinkSync(join(repository, "node_modules"), join(directory, "node_modules"));
  const git = (...words: string[]) => execFileSync("git", words, { cwd: directory, encoding: "utf8" });
  git("init", "-q");
  git("add", "-A");
  git("-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-qm", "as it is");

  const start = (program: string, words: readonly string[], options: CheckoutRunOptions) => {
    const child = spawn(program, words, {
      cwd: options.cwd ?? directory,
      env: { ...cleanEnvironment(), ...options.env },
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
    return { child, outcome: outcomeOf(child).outcome };
  };
  return {
    directory,
    state: join(directory, ".spillway", environment),
    spillway: (words, options = {}) => start("./spillway", words, options).outcome,
    run: (program, words, options = {}) => start(program, words, options).outcome,
    start: (words, options = {}) => start("./spillway", words, options),
    gitStatus: () => git("status", "--porcelain").trim(),
    remove() {
      for (const found of processesOf(directory)) {
        try {
          process.kill(found.pid, "SIGKILL");
        } catch {
          // It ended by itself.
        }
      }
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The tester's own environment names and crash switches must not leak into what is tested. */
function cleanEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (
      value !== undefined &&
      !/^(SPILLWAY_(ENV|STATE_DIR|CRASH_.*|FORGET)|PULUMI_(BACKEND_URL|CONFIG_.*|STACK)|VITEST.*|NODE_OPTIONS)$/.test(name)
    )
      env[name] = value;
  }
  return env;
}

/** The access that `up` wrote for the CLI. */
export function readContext(checkout: Checkout): { url: string; ca: string; token: string; environmentId: string } {
  return JSON.parse(readFileSync(join(checkout.state, "context.json"), "utf8"));
}
