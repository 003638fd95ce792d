/** The suites: `unit` stands beside its source, `contract` holds the boundaries, `e2e` and `crash` run whole environments, `lab` real hosts. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { labMissing } from "./test/lab/support/requirements.ts";

const crashTests = "test/e2e/crash*.test.ts";
/** Tests that start whole processes many times stand beside their source too, but run with the end-to-end suite. */
const processTests = "{agent,cli,test/doubles}/**/*.process.test.ts";

/** The Node processes that tests start load the same few hundred files again and again: compiled once, they take two thirds of the time. */
const compiledOnce = { env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/node-compile") } };

/** Whole environments, each in a directory of its own: two at a time, since they wait more than they compute, and they get minutes. */
const wholeEnvironments = { maxWorkers: 2, testTimeout: 300_000, hookTimeout: 300_000 } as const;

/** Where there can be no lab, the one test that says what is missing. */
const labTests = labMissing({ install: false }) === undefined ? ["test/lab/**/*.lab.test.ts"] : ["test/lab/requirements.lab.test.ts"];
/** Hosts that boot, a network of its own to each file, so two at a time; and time for the root file systems, which the first run makes. */
const hostsOfTheLab = { maxWorkers: 2, isolate: true, testTimeout: 600_000, hookTimeout: 900_000 } as const;

export default defineConfig({
  test: {
    pool: "forks",
    // Many tests wait for a process or a socket, so two per core; what a test changes it puts back, so workers are used again.
    maxWorkers: 2 * availableParallelism(),
    isolate: false,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            "{agent,bootstrap,catalog,cli,examples,providers,stacks,tools}/**/*.test.ts",
            "test/{support,lab/support,doubles}/**/*.test.ts",
          ],
          exclude: [processTests],
          testTimeout: 10_000,
          hookTimeout: 10_000,
          ...compiledOnce,
        },
      },
      {
        extends: true,
        test: { name: "contract", include: ["test/contract/**/*.test.ts"], testTimeout: 30_000, hookTimeout: 30_000, ...compiledOnce },
      },
      {
        extends: true,
        test: { name: "e2e", include: ["test/e2e/**/*.test.ts", processTests], exclude: [crashTests], ...wholeEnvironments },
      },
      { extends: true, test: { name: "crash", include: [crashTests], ...wholeEnvironments } },
      { extends: true, test: { name: "lab", include: labTests, ...hostsOfTheLab } },
    ],
  },
});
