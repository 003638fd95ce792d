/** Runs vitest projects and counts what passed, failed and was skipped, from vitest's own JSON report. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./steps.ts";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
}

/** `reporter` is what people see meanwhile: `dot` for many short tests, `verbose` (a line as each test ends) for few long ones. */
export async function runSuite(projects: readonly string[], reporter: "dot" | "verbose"): Promise<Counts> {
  const directory = mkdtempSync(join(tmpdir(), "spillway-report-"));
  try {
    const file = join(directory, "report.json");
    const words = ["run", ...projects.flatMap((project) => ["--project", project]), `--reporter=${reporter}`, "--reporter=json", `--outputFile.json=${file}`];
    const code = await vitest(words);
    return countsOf(readReport(file), code);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A run that failed without a failed test (a file that can't be loaded, an unhandled error, no tests) is one failure. */
export function countsOf(report: Report | undefined, exitCode: number): Counts {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const broken = report.numFailedTests === 0 && (exitCode !== 0 || !report.success);
  return {
    passed: report.numPassedTests,
    failed: broken ? 1 : report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    // vitest ended before it could write one.
    return undefined;
  }
}

function vitest(words: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), ...words], { cwd: root, stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}
