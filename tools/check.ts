/** `npm run check`: format, lint, types, import rules, crash points and dead code, then the unit and contract tests. */
import { runSteps, staticSteps, stepLine } from "./check/steps.ts";
import { runSuite } from "./check/suite.ts";

const started = performance.now();
console.log("check: static steps, then unit and contract tests");
const results = await runSteps(staticSteps, (result) => console.log(stepLine(result)));
const failedSteps = results.filter(({ passed }) => !passed).map(({ step }) => step.name);
const tests = await runSuite(["unit", "contract"], "dot");

const failures = [...failedSteps, ...(tests.failed > 0 ? [`${tests.failed} tests`] : [])];
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(failures.length === 0 ? `check passed in ${seconds} s` : `check failed in ${seconds} s: ${failures.join(", ")}`);
process.exitCode = failures.length === 0 ? 0 : 1;
