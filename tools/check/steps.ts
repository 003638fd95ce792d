/** The static steps of `npm run check`: what each is called and the command that decides it. */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";

export const root = join(import.meta.dirname, "..", "..");

export interface Step {
  readonly name: string;
  /** argv; run in the repository's root. Exit code 0 is passed. */
  readonly command: readonly string[];
}

const bin = (name: string) => join(root, "node_modules", ".bin", name);
const sources = ["agent", "bootstrap", "cli", "examples", "providers", "stacks", "test", "tools", "vitest.config.ts"];

/** The longest first, so that the others fill the second core beside it. */
export const staticSteps: readonly Step[] = [
  { name: "lint", command: [bin("oxlint"), "--type-aware", "--deny-warnings", "--quiet"] },
  { name: "types", command: [process.execPath, join(root, "node_modules/typescript7/bin/tsc"), "-p", "."] },
  { name: "dead code", command: [bin("knip"), "--no-progress", "--no-config-hints"] },
  { name: "import rules", command: [bin("depcruise"), "--config", ".dependency-cruiser.mjs", "--output-type", "err-long", ...sources] },
  { name: "crash points", command: [process.execPath, "tools/check/world-changes.ts"] },
  { name: "format", command: [bin("biome"), "check", "--diagnostic-level=warn", "."] },
];

export interface StepResult {
  readonly step: Step;
  readonly passed: boolean;
  readonly seconds: number;
  readonly output: string;
}

/** Runs the steps, as many at a time as there are cores (two at most), and hands each result over as it comes. */
export async function runSteps(steps: readonly Step[], onResult: (result: StepResult) => void): Promise<StepResult[]> {
  const waiting = [...steps];
  const results: StepResult[] = [];
  const worker = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const result = await runStep(step);
      results.push(result);
      onResult(result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
  return results;
}

function runStep(step: Step): Promise<StepResult> {
  const started = performance.now();
  return new Promise((resolve) => {
    const [program = "", ...words] = step.command;
    const child = spawn(program, words, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    const parts: string[] = [];
    child.stdout.on("data", (chunk: Buffer) => parts.push(chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => parts.push(chunk.toString()));
    const end = (passed: boolean) =>
      resolve({ step, passed, seconds: (performance.now() - started) / 1000, output: parts.join("").trim() });
    child.on("error", (error) => {
      parts.push(`${program}: ${error.message}`);
      end(false);
    });
    child.on("close", (code) => end(code === 0));
  });
}

/** One line a step: a mark, its name, its seconds; what it printed only when it failed. */
export function stepLine({ step, passed, seconds, output }: StepResult): string {
  const line = `  ${passed ? "✓" : "✗"} ${step.name} (${seconds.toFixed(1)} s)`;
  return passed ? line : `${line}\n${output.replace(/^/gm, "      ")}`;
}
