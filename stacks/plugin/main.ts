/** The Pulumi provider plugin `spillway`: every resource's provider side, served over gRPC to the engine. */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { main } from "@pulumi/pulumi/provider/index.js";
import { productVersion } from "../../agent/contract/version.ts";
import { keepSessions } from "../../bootstrap/ssh/kept-sessions.ts";
import { endWithEngine } from "./end-with-engine.ts";
import { handlers } from "./handlers.ts";
import { providerOf } from "./rpc.ts";
import { statusLineTo } from "./status-line.ts";

const engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("--"));
endWithEngine(engineAddress);
// How the engine ends a plugin that has nothing more to do; a Ctrl-C comes as `cancel`, since plugins have a process group of their own.
process.on("SIGINT", () => process.exit(0));
// The SDK prints every error with its trace; the person gets the message from the engine.
console.error = (...words: unknown[]) => keep("plugin.log", words.map(String).join(" "));

/** Appends a line to a log of the environment; `./spillway` and `./spillway env` say where they are. */
function keep(file: string, text: string): void {
  const directory = process.env.SPILLWAY_LOGS;
  if (directory === undefined) return;
  mkdirSync(directory, { recursive: true });
  appendFileSync(join(directory, file), `${new Date().toISOString()} ${text}\n`);
}

// The look at a host and what is done to it next are two steps of this process.
keepSessions();
await main(
  providerOf({
    version: productVersion,
    handlers,
    statusLine: statusLineTo(engineAddress),
    changeLog: (text) => keep("changes.log", text),
  }),
  process.argv.slice(2),
);
