/**
 * The one entry of the bundle: `agent`, `master`, `join`, `renew`, `check`, `pins`, `version`. Heavy parts are loaded only by the command that needs them.
 *
 * Exit codes: 0 done (for `agent`: the node was removed and everything is stopped) · 1 a fault of the world, told on stderr ·
 * 2 wrong usage or a wrong configuration file · 143 `agent` was ended by TERM or INT; its tasks go on.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { z } from "zod";
import { agentConfig, masterConfig } from "./contract/agent-config.ts";
import { describeError, SpillwayError } from "./contract/errors.ts";
import { productVersion, wireVersion } from "./contract/version.ts";
import { boundRoleLog } from "./role-log.ts";

const usage = `usage: agent.js <command>
  agent  --config FILE            run the agent of this node
  master --config FILE            run the master
  join   --config FILE [--force]  get this node's certificate; the join token is read from stdin
  renew  --config FILE            renew this node's certificate now
  check  --config FILE            whether this bundle can run the role of that file here; changes nothing
  pins   --config FILE            print what the master of that file knows of machines and bursts, a JSON line each
  version                         print the versions as JSON`;

const exitCodes = { fault: 1, usage: 2 } as const;

async function main(argv: readonly string[]): Promise<void> {
  const { command, configFile, force } = parseCommand(argv);
  if (command === undefined) throw usageError("a command is missing");
  switch (command) {
    case "agent": {
      boundOwnLog();
      const config = readConfig(configFile, agentConfig);
      const { runAgent } = await import("./node/run.ts");
      const renewCommand = [process.execPath, import.meta.filename, "renew", "--config", configFile];
      const signal = endSignal();
      process.exit(await runAgent({ config, bundle: bundleDigest(), taskSupervisor: taskSupervisor(), renewCommand, signal }));
      break;
    }
    case "master": {
      boundOwnLog();
      const config = readConfig(configFile, masterConfig);
      const { runMaster } = await import("./master/main.ts");
      await runMaster(config, { bundle: bundleDigest() });
      break;
    }
    case "join": {
      const config = readConfig(configFile, agentConfig);
      const { joinPool } = await import("./node/join.ts");
      process.stdout.write(`${await joinPool({ config, force, readToken: () => text(process.stdin) })}\n`);
      break;
    }
    case "renew": {
      const config = readConfig(configFile, agentConfig);
      const { renewCertificate } = await import("./node/renew.ts");
      process.stdout.write(`${await renewCertificate(config)}\n`);
      break;
    }
    case "check": {
      const { checkAgent, checkMaster } = await import("./node/self-test.ts");
      const isAgent = readConfig(configFile, z.looseObject({})).node !== undefined;
      if (isAgent) await checkAgent(readConfig(configFile, agentConfig), { taskSupervisor: taskSupervisor() });
      else await checkMaster(readConfig(configFile, masterConfig));
      process.stdout.write(`${isAgent ? "agent" : "master"} ${productVersion} can run here\n`);
      break;
    }
    case "pins": {
      const { knownPins } = await import("./master/pins.ts");
      for (const line of knownPins(readConfig(configFile, masterConfig))) process.stdout.write(`${JSON.stringify(line)}\n`);
      break;
    }
    case "version": {
      const versions = { productVersion, wireVersion, nodeVersion: process.versions.node, bundle: bundleDigest() };
      process.stdout.write(`${JSON.stringify(versions)}\n`);
      break;
    }
    default:
      throw usageError(`there is no command "${command}"`);
  }
}

function parseCommand(argv: readonly string[]): { command: string | undefined; configFile: string; force: boolean } {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { config: { type: "string" }, force: { type: "boolean", default: false } },
    });
    if (positionals.length > 1) throw new Error(`"${positionals[1]}" is one argument too many`);
    return { command: positionals[0], configFile: values.config ?? "", force: values.force };
  } catch (error) {
    throw usageError(describeError(error), error);
  }
}

function usageError(message: string, cause?: unknown): SpillwayError {
  return new SpillwayError(message, { code: "usage", hint: usage, cause });
}

function readConfig<T>(file: string, schema: z.ZodType<T>): T {
  if (file === "") throw usageError("--config FILE is missing");
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new SpillwayError(`the configuration can't be read: ${describeError(error)}`, {
      code: "config-unreadable",
      where: file,
      hint: "bootstrap writes it: `./spillway up <environment>` does that again",
      cause: error,
    });
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new SpillwayError(`the configuration is wrong\n${z.prettifyError(parsed.error)}`, {
    code: "config-invalid",
    where: file,
    hint: "bootstrap writes it: `./spillway up <environment>` does that again, with the version it installs",
  });
}

/** The file is named to the role by supervise.sh, and to nobody below it. */
function boundOwnLog(): void {
  boundRoleLog(process.env.SPILLWAY_ROLE_LOG);
  delete process.env.SPILLWAY_ROLE_LOG;
}

/** Aborted by the first TERM or INT, with its name as the reason. */
function endSignal(): AbortSignal {
  const end = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => end.abort(name));
  return end.signal;
}

/** The digest beside agent.js in an unpacked bundle; a source tree has none. */
function bundleDigest(): string {
  const file = join(import.meta.dirname, "digest");
  return existsSync(file) ? readFileSync(file, "utf8").trim() : "development";
}

/** Beside agent.js in an unpacked bundle, in bundle/ in a source tree. */
function taskSupervisor(): string {
  const bundled = join(import.meta.dirname, "task-supervisor.sh");
  return existsSync(bundled) ? bundled : join(import.meta.dirname, "bundle", "task-supervisor.sh");
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`spillway: ${describeError(error)}\n`);
  const wrongUsage = error instanceof SpillwayError && ["usage", "config-invalid", "config-unreadable"].includes(error.code);
  process.exit(wrongUsage ? exitCodes.usage : exitCodes.fault);
}
