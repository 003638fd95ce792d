/** The burster's process: `node main.ts DIRECTORY`. It ends in order on TERM, and by itself when its configuration is gone. */
import { existsSync } from "node:fs";
import { describeError } from "../../agent/contract/errors.ts";
import { burstLayout, readBursterConfig } from "./config.ts";
import { runBurster } from "./service.ts";

function log(text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${text.replaceAll("\n", "\n  ")}\n`);
}

const directory = process.argv[2] ?? "";
const config = readBursterConfig(directory);
if (config === undefined) {
  log(`there is no configuration in ${directory}; nothing to do`);
} else {
  const ending = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => ending.abort());
  try {
    log(`burster of ${config.environment} (${config.environmentId}) started as process ${process.pid}`);
    // Nobody stops one whose directory is gone.
    const watch = setInterval(() => existsSync(burstLayout(directory).config) || ending.abort(), 5000);
    await runBurster(config, { signal: ending.signal, log });
    clearInterval(watch);
    log("stopped");
  } catch (error) {
    log(describeError(error));
    process.exitCode = 1;
  }
}
