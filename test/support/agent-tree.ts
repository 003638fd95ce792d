/** Checkouts whose agent is another one: of a version before, or with something broken in it. SPILLWAY_BUNDLE_FROM names one. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface AgentTree {
  readonly directory: string;
  /** For `./spillway` and whatever else builds a bundle. */
  readonly env: { readonly SPILLWAY_BUNDLE_FROM: string };
  remove(): void;
}

const repository = join(import.meta.dirname, "..", "..");

/** The agent of the commit that a fixture belongs to, e.g. `v0.3`; needs the repository's history. */
export function agentOf(fixture: string): AgentTree {
  const commit = readFileSync(join(repository, "test/fixtures", fixture, "commit"), "utf8").trim();
  return makeTree((directory) => {
    const archive = execFileSync("git", ["archive", commit, "agent", "package.json", "package-lock.json"], {
      cwd: repository,
      maxBuffer: 64 * 1024 * 1024,
    });
    execFileSync("tar", ["-x", "-C", directory], { input: archive });
  });
}

/** This agent with one text of a file replaced by another; throws when the file does not hold it exactly once. */
export function changedAgent(file: string, from: string, to: string): AgentTree {
  return makeTree((directory) => {
    for (const name of ["agent", "package.json", "package-lock.json"])
      cpSync(join(repository, name), join(directory, name), { recursive: true });
    const path = join(directory, file);
    const parts = readFileSync(path, "utf8").split(from);
    if (parts.length !== 2) throw new Error(`${file} holds this ${parts.length - 1} times: ${from}`);
    writeFileSync(path, parts.join(to));
  });
}

/** It starts, joins, and takes over none of the tasks that run. */
export function forgetfulAgent(): AgentTree {
  return changedAgent(
    "agent/node/executor/task-executor.ts",
    "await Promise.all((await readdir(root)).filter((name) => parseTaskId(name) !== undefined).map(readoptOne));",
    "void readoptOne;",
  );
}

function makeTree(fill: (directory: string) => void): AgentTree {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "spillway-agent-")));
  mkdirSync(directory, { recursive: true });
  fill(directory);
  symlinkSync(join(repository, "node_modules"), join(directory, "node_modules"));
  return { directory, env: { SPILLWAY_BUNDLE_FROM: directory }, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
