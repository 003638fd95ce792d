/** The suites: `unit` stands beside its source, `contract` holds the boundaries, `e2e` and `crash` run whole environments, one at a time. */
import { defineConfig } from "vitest/config";

const crashTests = "test/e2e/crash*.test.ts";

/** Whole environments: each brings up processes, so files run one after the other and get minutes. */
const wholeEnvironments = { fileParallelism: false, maxWorkers: 1, testTimeout: 300_000, hookTimeout: 300_000 } as const;

export default defineConfig({
  test: {
    pool: "forks",
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{agent,bootstrap,catalog,cli,examples,providers,stacks,tools}/**/*.test.ts", "test/support/**/*.test.ts"],
          testTimeout: 10_000,
          hookTimeout: 10_000,
        },
      },
      { extends: true, test: { name: "contract", include: ["test/contract/**/*.test.ts"], testTimeout: 30_000, hookTimeout: 30_000 } },
      { extends: true, test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], exclude: [crashTests], ...wholeEnvironments } },
      { extends: true, test: { name: "crash", include: [crashTests], ...wholeEnvironments } },
    ],
  },
});
