/** What `./spillway` does before the command: on a fresh computer, a warm one, and one that lacks something. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { killGroup, type LauncherBench, launcherBench, pretendNode, pretendNpm } from "../support/launcher-bench.ts";
import { waitUntil } from "../support/wait-until.ts";

let bench: LauncherBench;
beforeEach(() => {
  bench = launcherBench();
});
afterEach(() => bench.remove());

/** Pulumi's CLI and its language host, both on PATH. */
function pulumiOnPath(version: string): void {
  bench.program("pulumi", `echo "pulumi $1" >>"$CALLS"; echo ${version}`);
  bench.program("pulumi-language-nodejs", ":");
}

/** A Go that "compiles" by writing the file named after -o. */
const pretendGo = `case $1 in
  env) echo go1.26.0 ;;
  build)
    echo "go build" >>"$CALLS"
    while [ "$1" != -o ]; do shift; done
    echo "#!/bin/sh" >"$2"
    chmod +x "$2" ;;
esac`;

describe("dependencies", () => {
  test("the first launch installs them, and stdout holds only what the command says", async () => {
    const launch = await bench.launch("pool", "--output", "json");
    expect(launch).toMatchObject({ code: 0, stdout: `node v24.21.0 ${bench.clone}/cli/main.ts pool --output json\n` });
    expect(launch.stderr).toMatch(/✓ dependencies, with npm ci \(\d+ s\)/);
    expect(bench.calls()).toEqual(["npm ci"]);
  });

  test("a launch with the same package-lock.json installs nothing and says nothing", async () => {
    await bench.launch("pool");
    expect(await bench.launch("pool")).toMatchObject({ code: 0, stderr: "" });
    expect(bench.calls()).toEqual(["npm ci"]);
  });

  test("a changed package-lock.json, another Node or deleted dependencies install them again", async () => {
    await bench.launch("pool");
    writeFileSync(join(bench.clone, "package-lock.json"), '{"changed":true}\n');
    await bench.launch("pool");
    bench.program("node", pretendNode("v25.0.0"));
    await bench.launch("pool");
    rmSync(join(bench.clone, "node_modules"), { recursive: true });
    await bench.launch("pool");
    expect(bench.calls()).toEqual(["npm ci", "npm ci", "npm ci", "npm ci"]);
  });

  test("without npm, one sentence says what to install", async () => {
    bench.withoutProgram("npm");
    const { code, stdout, stderr } = await bench.launch("pool");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^spillway: npm is needed .*\n {2}Install npm .* run the same command again\.\n$/);
  });

  test("a registry that can't be reached is told as that, and the next launch goes on", async () => {
    bench.program("npm", 'echo "npm error code EAI_AGAIN" >&2; exit 1');
    const failed = await bench.launch("pool");
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain("npm ci failed: the registry can't be reached");
    expect(failed.stderr).toContain("Log: ");
    bench.program("npm", pretendNpm);
    expect(await bench.launch("pool")).toMatchObject({ code: 0 });
  });

  test.each([
    ["a full disk", "ENOSPC", "the disk is full"],
    ["a certificate nobody knows", "SELF_SIGNED_CERT_IN_CHAIN", "the registry's certificate is not trusted here"],
    ["a directory of somebody else's", "EACCES", "not allowed to write"],
  ])("%s is told as that", async (_, code, sentence) => {
    bench.program("npm", `echo "npm error code ${code}" >&2; exit 1`);
    expect((await bench.launch("pool")).stderr).toContain(`spillway: npm ci failed: ${sentence}\n`);
  });

  test("any other failure is told in npm's own last words", async () => {
    bench.program("npm", 'printf "npm error peer wanted\\nnpm error A complete log of this run can be found in: x\\n" >&2; exit 1');
    expect((await bench.launch("pool")).stderr).toContain("spillway: npm ci failed: npm error peer wanted\n");
  });

  test("dependencies that are a link to another clone's are never emptied", async () => {
    const others = join(bench.cache, "others");
    mkdirSync(others, { recursive: true });
    symlinkSync(others, join(bench.clone, "node_modules"));
    const { code, stderr } = await bench.launch("pool");
    expect(code).toBe(1);
    expect(stderr).toContain("is a link");
    expect(bench.calls()).toEqual([]);
  });
});

describe("two launches at once", () => {
  /** An npm that waits for the file `go` beside the clone. */
  const waitingNpm = `echo "npm $1" >>"$CALLS"; rm -rf node_modules; mkdir node_modules; until [ -e "$CLONE/../go" ]; do sleep 0.05; done`;

  test("install once; the second says whom it waits for", async () => {
    bench.program("npm", waitingNpm);
    const first = bench.start("pool");
    await waitUntil("npm runs", () => bench.calls().length === 1);
    const second = bench.start("pool");
    await waitUntil("the second waits", () => second.said().includes(`waiting for another launch (process ${first.child.pid})`));
    writeFileSync(join(bench.clone, "..", "go"), "");
    expect(await first.ended).toMatchObject({ code: 0 });
    expect(await second.ended).toMatchObject({ code: 0 });
    expect(bench.calls()).toEqual(["npm ci"]);
  });

  test("when the first was killed, the next takes over and finishes", async () => {
    bench.program("npm", waitingNpm);
    const first = bench.start("pool");
    await waitUntil("npm is half-way", () => existsSync(join(bench.clone, "node_modules")));
    killGroup(first.child);
    await first.ended;
    bench.program("npm", pretendNpm);
    expect(await bench.launch("pool")).toMatchObject({ code: 0 });
    expect(bench.calls()).toEqual(["npm ci", "npm ci"]);
    expect(readdirSync(bench.clone).filter((name) => name.includes(".lock"))).toEqual([]);
  });

  test("a lock from before a reboot holds nobody up, though its process id is in use again", async () => {
    symlinkSync(`${process.pid}@another-boot`, join(bench.clone, ".spillway.lock"));
    expect(await bench.launch("pool")).toMatchObject({ code: 0 });
  });
});

describe("Node", () => {
  test.each([
    ["an old one", "v20.20.2"],
    ["one that can't be run", ""],
  ])("%s on PATH makes npm fetch another, once", async (_, version) => {
    bench.program("node", version === "" ? "exit 1" : pretendNode(version));
    const launch = await bench.launch("pool");
    expect(launch.stdout).toBe(`fetched node ${bench.clone}/cli/main.ts pool\n`);
    await bench.launch("pool");
    expect(bench.calls()).toEqual(["npm install", "npm ci"]);
  });

  test("an interrupted download leaves nothing that looks ready", async () => {
    bench.program("node", pretendNode("v20.20.2"));
    bench.program("npm", 'mkdir -p "$3/node_modules"; echo "npm error network" >&2; exit 1');
    expect(await bench.launch("pool")).toMatchObject({ code: 1 });
    bench.program("npm", pretendNpm);
    expect(await bench.launch("pool")).toMatchObject({ code: 0 });
  });

  test("neither Node nor npm: one sentence says what to install", async () => {
    bench.withoutProgram("node");
    bench.withoutProgram("npm");
    const { code, stderr } = await bench.launch("up", "local");
    expect(code).toBe(1);
    expect(stderr).toContain("Node 24 or newer is needed, and there is none on PATH; nor is there npm");
    expect(stderr.trim().split("\n")).toHaveLength(2);
  });

  test("a system without glibc is refused with the platform's name", async () => {
    bench.program("node", pretendNode("v20.20.2"));
    bench.program("getconf", "exit 1");
    bench.program("uname", "case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac");
    const { code, stderr } = await bench.launch("pool");
    expect(code).toBe(1);
    expect(stderr).toContain("the one on PATH is v20.20.2");
    expect(stderr).toContain("It can't be fetched for Linux x86_64 without glibc (musl)");
    expect(bench.calls()).toEqual([]);
  });

  test("a cache that can't be made is told with the way out", async () => {
    writeFileSync(bench.cache, "a file is in the way");
    const { code, stderr } = await bench.launch("pool");
    expect(code).toBe(1);
    expect(stderr).toContain(`can't write to ${bench.cache}`);
    expect(stderr).toContain("Set SPILLWAY_CACHE");
  });
});

describe("Pulumi", () => {
  test.each([["pool"], ["run", "--", "up"], ["up", "--help"], ["--output", "json", "pool"], ["nodes", "list"], ["doctor"]])(
    "is not looked for by: %s %s %s",
    async (...words) => {
      expect(await bench.launch(...words)).toMatchObject({ code: 0 });
      expect(bench.calls()).toEqual(["npm ci"]);
    },
  );

  test.each([
    ["up"],
    ["nodes", "shell", "m-1", "--", "true"],
    ["--env", "local", "nodes", "trust", "m-1"],
    ["doctor", "m-1"],
    ["fsck"],
    ["fsck", "local", "--fix"],
  ])("is needed by: %s %s %s", async (...words) => {
    const { code, stderr } = await bench.launch(...words);
    expect(code).toBe(1);
    expect(stderr).toContain("the Pulumi CLI is needed");
  });

  test("the doctor sees the one in the cache, and fetches none", async () => {
    bench.program("node", "case $1 in --version) echo v24.21.0 ;; *) echo $PATH ;; esac");
    bench.write("cache/pulumi/3.250.0/bin/pulumi", "");
    bench.write("cache/pulumi/3.250.0/bin/pulumi-language-nodejs", "");
    const { stdout } = await bench.launch("doctor");
    expect(stdout).toContain(`${bench.cache}/pulumi/3.250.0/bin:`);
  });

  test("one that we built ourselves, on PATH, tells its version without a v", async () => {
    pulumiOnPath("3.250.0");
    expect((await bench.launch("up")).stderr).not.toContain("another is used");
    expect(bench.calls()).toEqual(["npm ci", "pulumi version"]);
  });

  test("a new enough one on PATH is asked once, and used", async () => {
    pulumiOnPath("v3.250.0");
    await bench.launch("up", "local");
    await bench.launch("--output", "json", "preview", "local");
    expect(bench.calls()).toEqual(["npm ci", "pulumi version"]);
  });

  test("one that was replaced is asked again", async () => {
    pulumiOnPath("v3.250.0");
    await bench.launch("up", "local");
    pulumiOnPath("v3.251.0-replaced");
    await bench.launch("up", "local");
    expect(bench.calls().filter((call) => call === "pulumi version")).toHaveLength(2);
  });

  test("an old one on PATH is passed over for the one in the cache", async () => {
    pulumiOnPath("v3.100.0");
    bench.write("cache/pulumi/3.250.0/bin/pulumi", "");
    bench.write("cache/pulumi/3.250.0/bin/pulumi-language-nodejs", "");
    bench.program(
      "node",
      'case $1 in --version) echo v24.21.0 ;; *) echo "$PATH|$PULUMI_HOME|$PULUMI_SKIP_UPDATE_CHECK|$SPILLWAY_CACHE" ;; esac',
    );
    const launch = await bench.launch("up", "local");
    expect(launch.stderr).toContain("the Pulumi CLI on PATH is v3.100.0; 3.200 or newer is needed");
    expect(launch.stdout.split("|")).toEqual([
      expect.stringMatching(`^${bench.cache}/pulumi/3.250.0/bin:`),
      `${bench.cache}/pulumi-home`,
      "1",
      `${bench.cache}\n`,
    ]);
  });

  test("where it can't be downloaded it is built with Go, once", async () => {
    bench.program("go", pretendGo);
    const launch = await bench.launch("up", "local");
    expect(launch).toMatchObject({ code: 0, stdout: `node v24.21.0 ${bench.clone}/cli/main.ts up local\n` });
    expect(launch.stderr).toContain("get.pulumi.com can't be reached");
    expect(launch.stderr).toMatch(/✓ Pulumi CLI [\d.]+: building from source/);
    await bench.launch("up", "local");
    expect(bench.calls().filter((call) => call === "go build")).toHaveLength(2);
    expect(readdirSync(join(bench.cache, "pulumi"))).toHaveLength(1);
  });

  test("where it can be downloaded it is not built", async () => {
    bench.program("go", pretendGo);
    bench.program(
      "node",
      `case $1 in
  --version) echo v24.21.0 ;;
  */install.ts) mkdir -p "$2/bin"; for name in pulumi pulumi-language-nodejs; do echo >"$2/bin/$name"; chmod +x "$2/bin/$name"; done ;;
  *) echo "$PATH" ;;
esac`,
    );
    const launch = await bench.launch("up", "local");
    expect(launch.stdout).toMatch(/^[^:]*\/pulumi\/[\d.]+\/bin:/);
    expect(bench.calls()).toEqual(["npm ci"]);
  });

  test.each([
    ["no Go", undefined],
    ["an old Go", "echo go1.19.8"],
  ])("neither download nor %s: one error says how to get on", async (_, go) => {
    if (go !== undefined) bench.program("go", go);
    const { code, stdout, stderr } = await bench.launch("up", "local");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("spillway: the Pulumi CLI is needed and could not be had: get.pulumi.com can't be reached");
    expect(stderr).toContain("Install Pulumi 3.200 or newer");
  });

  test("a build that fails leaves nothing that looks ready", async () => {
    bench.program("go", 'case $1 in env) echo go1.26.0 ;; *) echo "dial tcp: lookup proxy: no such host" >&2; exit 1 ;; esac');
    const failed = await bench.launch("up", "local");
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain("building the Pulumi CLI failed: the registry can't be reached");
    bench.program("go", pretendGo);
    expect(await bench.launch("up", "local")).toMatchObject({ code: 0 });
  });

  test("the versions the launcher names are those of package.json and go.mod", () => {
    const launcher = readFileSync(join(bench.clone, "tools/launcher/pulumi.sh"), "utf8");
    const repository = join(import.meta.dirname, "..", "..");
    const sdk: string = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")).dependencies["@pulumi/pulumi"];
    expect(/pulumi_sdk=(\S+)/.exec(launcher)?.[1]).toBe(sdk);
    const built = /pulumi\/pkg\/v3 v(\S+)/.exec(readFileSync(join(repository, "tools/pulumi/cli/go.mod"), "utf8"))?.[1];
    expect(/pulumi_built=(\S+)/.exec(launcher)?.[1]).toBe(built);
  });
});

test("`test` runs the suites instead of the command line", async () => {
  pulumiOnPath("v3.250.0");
  expect((await bench.launch("test", "--all")).stdout).toBe(`node v24.21.0 ${bench.clone}/test/run.ts --all\n`);
});

test("it can be called through a link, and its exit code is the command's", async () => {
  bench.program("node", "case $1 in --version) echo v24.21.0 ;; *) exit 3 ;; esac");
  await bench.launch("pool");
  const link = join(bench.cache, "spillway-link");
  symlinkSync(join(bench.clone, "spillway"), link);
  const path = join(bench.clone, "..", "bin");
  expect(spawnSync(link, ["pool"], { env: { PATH: path, SPILLWAY_CACHE: bench.cache } }).status).toBe(3);
});
