/** For a run within a lab host: the checkout and Node are there read-only, so what a run writes goes to /tmp. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  cacheDir: "/tmp/spillway-vitest",
  test: { pool: "forks", maxWorkers: 1, include: ["test/lab/inside/**/*.inside.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
});
