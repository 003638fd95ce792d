/** `./spillway test`: the suites one after the other, what was left out and why, and the sum as the last line. */
import { parseArgs } from "node:util";
import { shellcheckMissing, shellcheckStep } from "../tools/check/shellcheck.ts";
import { runSteps, type Step, staticSteps, stepLine } from "../tools/check/steps.ts";
import { type Counts, runSuite } from "../tools/check/suite.ts";
import { labMissing } from "./lab/support/requirements.ts";

const usage = `Usage: ./spillway test [--all] [--install]

Runs the unit and contract tests, then whole environments on this computer; as root on Linux also those on the lab's hosts.

  --all      also the static checks, the shell scripts' lint and the crash suite
  --install  may install system packages that a suite needs (with apt-get: shellcheck; mmdebstrap, systemd-container, qemu … for the lab)

The last line is "N passed, N failed, N skipped"; the exit code is 0 only when something passed and nothing failed.
Suites by name: npm run test:unit | test:contract | test:e2e | test:lab | test:crash`;

const leftOut: string[] = [];
const sums: Counts[] = [];

const options = readOptions();
if (options !== undefined) {
  if (options.all) await checkStatically(options.install);
  await suite("unit and contract tests", ["unit", "contract"], "dot");
  await suite("whole environments on this computer", ["e2e"], "verbose");
  await testOnHosts(options);
  if (options.all) await suite("crash suite", ["crash"], "verbose");
  else leftOut.push("static checks, shell scripts, crash suite: ./spillway test --all");
  conclude();
}

function readOptions(): { all: boolean; install: boolean } | undefined {
  try {
    const { values } = parseArgs({
      options: { all: { type: "boolean" }, install: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    });
    if (values.help !== true) return { all: values.all === true, install: values.install === true };
    console.log(usage);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    process.exitCode = 2;
  }
  return undefined;
}

/** Each static step counts as one test. */
async function checkStatically(install: boolean): Promise<void> {
  heading("static checks");
  const missing = shellcheckMissing({ install });
  if (missing !== undefined) leftOut.push(`shell scripts: ${missing}`);
  const steps: Step[] = missing === undefined ? [...staticSteps, shellcheckStep] : [...staticSteps];
  const results = await runSteps(steps, (result) => console.log(stepLine(result)));
  const passed = results.filter((result) => result.passed).length;
  sums.push({ passed, failed: results.length - passed, skipped: missing === undefined ? 0 : 1 });
}

/** Where the lab can't be, its suites count as one that is skipped, and the reason is told. */
async function testOnHosts({ install }: { install: boolean }): Promise<void> {
  const missing = labMissing({ install });
  if (missing === undefined) {
    await suite("hosts of the lab", ["lab"], "verbose");
  } else {
    leftOut.push(`hosts of the lab: ${missing}`);
    sums.push({ passed: 0, failed: 0, skipped: 1 });
  }
}

async function suite(title: string, projects: readonly string[], reporter: "dot" | "verbose"): Promise<void> {
  heading(title);
  const { leftOut: skippedTests, ...counts } = await runSuite(projects, reporter);
  leftOut.push(...skippedTests);
  sums.push(counts);
}

function heading(title: string): void {
  console.log(`\n== ${title}`);
}

function conclude(): void {
  if (leftOut.length > 0) console.log(`\nleft out:\n${leftOut.map((line) => `  ${line}`).join("\n")}`);
  const total = (key: keyof Counts) => sums.reduce((sum, counts) => sum + counts[key], 0);
  const [passed, failed, skipped] = [total("passed"), total("failed"), total("skipped")];
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
}
