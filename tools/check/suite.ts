/** Runs vitest projects in this process and counts what passed, failed and was skipped. */
import type { Reporter } from "vitest/node";
import { root } from "./steps.ts";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface SuiteResult extends Counts {
  /** Names of the skipped tests, with the reason each gave. */
  readonly leftOut: readonly string[];
}

/** What is read of vitest's own test and file (`TestCase`, `TestModule`). */
interface RunTest {
  readonly fullName: string;
  result(): { readonly state: string; readonly note?: string | undefined };
}
interface RunModule {
  state(): string;
  readonly children: { allTests(): Iterable<RunTest> };
}

/** A test that has not ended for this long is named, and again after as long. */
const silenceMs = 10_000;

/** `reporter` is what people see meanwhile: `dot` for many short tests, `verbose` (a line as each test ends) for few long ones. */
export async function runSuite(projects: readonly string[], reporter: "dot" | "verbose"): Promise<SuiteResult> {
  if (!process.stdout.isTTY) process.env.NO_COLOR ??= "1";
  // Imported here because it looks at NO_COLOR while it is loaded.
  const { startVitest } = await import("vitest/node");
  const vitest = await startVitest("test", [], {
    root,
    run: true,
    watch: false,
    project: [...projects],
    reporters: [[reporter, {}], reporter === "verbose" ? namesOfSlowTests() : {}],
  });
  try {
    return countResults(vitest.state.getTestModules(), vitest.state.getUnhandledErrors().length);
  } finally {
    await vitest.close();
  }
}

/** A file that can't be loaded, a fault outside of every test and a run without a test are failures too. */
export function countResults(modules: readonly RunModule[], unhandledErrors: number): SuiteResult {
  const results = modules.map((module) => ({ module, tests: [...module.children.allTests()] }));
  const tests = results.flatMap((result) => result.tests);
  const inState = (...states: string[]) => tests.filter((test) => states.includes(test.result().state));
  const brokenFiles = results.filter(
    ({ module, tests: own }) => module.state() === "failed" && !own.some((test) => test.result().state === "failed"),
  );
  const failed = inState("failed").length + brokenFiles.length;
  const otherwiseFailed = failed === 0 && (unhandledErrors > 0 || tests.length === 0);
  const skipped = inState("skipped", "pending");
  return {
    passed: inState("passed").length,
    failed: otherwiseFailed ? 1 : failed,
    skipped: skipped.length,
    leftOut: skipped.map(describeSkipped),
  };
}

function describeSkipped(test: RunTest): string {
  const { note } = test.result();
  return note === undefined ? test.fullName : `${test.fullName}: ${note}`;
}

/** Whole environments take their time: the test that is under way is named every few seconds. */
function namesOfSlowTests(): Reporter {
  const running = new Map<string, { name: string; since: number }>();
  const timer = setInterval(() => {
    for (const { name, since } of running.values()) {
      const ms = Date.now() - since;
      if (ms >= silenceMs) console.log(`   … ${name} (${Math.round(ms / 1000)} s)`);
    }
  }, silenceMs);
  return {
    onTestCaseReady: (test) => void running.set(test.id, { name: test.fullName, since: Date.now() }),
    onTestCaseResult: (test) => void running.delete(test.id),
    onTestRunEnd: () => clearInterval(timer),
  };
}
