/** A clone, a home and a PATH of their own, with tiny pretend programs, to try the launcher in without a network. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type CommandOutcome, outcomeOf } from "./outcome-of.ts";

export interface LauncherBench {
  readonly clone: string;
  readonly cache: string;
  /** Puts a program of this name on PATH; `body` is POSIX sh. */
  program(name: string, body: string): void;
  withoutProgram(name: string): void;
  write(path: string, text: string): void;
  launch(...words: string[]): Promise<CommandOutcome>;
  /** Starts a launch in a process group of its own and hands over what it has said so far. */
  start(...words: string[]): { child: ChildProcess; said: () => string; ended: Promise<CommandOutcome> };
  /** What the pretend programs wrote with `echo … >>"$CALLS"`, a line each. */
  calls(): string[];
  remove(): void;
}

/** What the launcher may take for granted on any host. */
const everydayPrograms = "cat chmod date dirname getconf grep ln ls mkdir mv readlink rm sha256sum shasum sh sleep tail uname".split(" ");
const repository = join(import.meta.dirname, "..", "..");

/** A bench with Node 24 and npm on PATH, nothing in its cache, and neither Pulumi nor Go. */
export function launcherBench(): LauncherBench {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "spillway-launcher-")));
  const [clone, bin, home, cache, calls] = [
    join(root, "clone"),
    join(root, "bin"),
    join(root, "home"),
    join(root, "cache"),
    join(root, "calls"),
  ];
  for (const directory of [join(clone, "tools"), join(clone, "cli"), join(clone, "test"), bin, home])
    mkdirSync(directory, { recursive: true });
  cpSync(join(repository, "spillway"), join(clone, "spillway"));
  cpSync(join(repository, "tools/launcher"), join(clone, "tools/launcher"), { recursive: true });
  for (const directory of ["tools/pulumi/cli", "tools/pulumi/language-nodejs"]) mkdirSync(join(clone, directory), { recursive: true });
  writeFileSync(join(clone, "package-lock.json"), "{}\n");
  for (const name of everydayPrograms) {
    const found = ["/usr/bin", "/bin"].map((directory) => join(directory, name)).find((path) => existsSync(path));
    if (found !== undefined) symlinkSync(found, join(bin, name));
  }
  const env = { HOME: home, PATH: bin, SPILLWAY_CACHE: cache, CALLS: calls, CLONE: clone };
  const running = new Set<ChildProcess>();

  const bench: LauncherBench = {
    clone,
    cache,
    program(name, body) {
      rmSync(join(bin, name), { force: true });
      writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
      chmodSync(join(bin, name), 0o755);
    },
    withoutProgram: (name) => rmSync(join(bin, name), { force: true }),
    write(path, text) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
      chmodSync(join(root, path), 0o755);
    },
    launch: (...words) => bench.start(...words).ended,
    start(...words) {
      const child = spawn(join(clone, "spillway"), words, { cwd: root, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
      running.add(child);
      child.once("close", () => running.delete(child));
      const { said, outcome } = outcomeOf(child);
      return { child, said, ended: outcome };
    },
    calls: () => (existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n") : []),
    remove() {
      for (const child of running) killGroup(child);
      rmSync(root, { recursive: true, force: true });
    },
  };
  bench.program("node", pretendNode("v24.21.0"));
  bench.program("npm", pretendNpm);
  return bench;
}

/** Ends a launch and what it started, at once. */
export function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

/** A Node that tells its version, says which script it was given, and can't reach Pulumi's download site. */
export function pretendNode(version: string): string {
  return `case $1 in
  --version) echo ${version} ;;
  */tools/pulumi/install.ts) echo "install $2" >>"$CALLS"; echo "get.pulumi.com can't be reached" >&2; exit 1 ;;
  *) echo "node ${version} $*" ;;
esac`;
}

/** An npm that makes what was asked for: a Node 24 in a prefix, or node_modules. */
export const pretendNpm = `echo "npm $1" >>"$CALLS"
case $1 in
  install)
    for last in "$@"; do :; done
    directory=$3/node_modules/\${last%@*}/bin
    mkdir -p "$directory"
    printf '#!/bin/sh\\n%s\\n' 'case $1 in --version) echo v24.21.0 ;; *) echo "fetched node $*" ;; esac' >"$directory/node"
    chmod +x "$directory/node" ;;
  ci) rm -rf node_modules; mkdir node_modules ;;
esac`;
