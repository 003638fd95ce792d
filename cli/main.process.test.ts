import { describe, expect, test } from "vitest";
import { commandBench } from "./testing/command-bench.ts";

const bench = commandBench();

describe("the command line", () => {
  test("help lists the verbs, the exit codes and examples", async () => {
    const { code, stdout } = await bench.start(["--help"]).ended;
    expect(code).toBe(0);
    for (const part of ["pool", "run", "Exit codes:", "Examples:", "SPILLWAY_ENV"]) expect(stdout).toContain(part);
  });

  test.each([
    [["pol"], 2, "Did you mean pool?"],
    [["run", "--cpuu", "1", "--", "true"], 2, "Did you mean --cpu?"],
    [["run", "--cpu", "much", "--", "true"], 2, '--cpu: "much" is not a cpu quantity'],
    [["run", "--name", "No Good", "--", "true"], 2, "--name: use lower-case letters"],
    [["run", "--count", "0", "--", "true"], 2, "--count"],
    [["run", "-e", "novalue", "--", "true"], 2, "KEY=VALUE"],
    [["run"], 2, "missing required argument"],
    [["--env", "prod", "destroy", "local"], 2, "two environments were given, --env prod and local"],
    [["burst", "simulate"], 2, '"spillway burst simulate" is not available in this version'],
    [["nodes", "remove"], 2, "missing required argument"],
    [["nodes", "remove", "m1", "--force", "--deadline", "1m"], 2, "--force and --deadline contradict each other"],
    [["nodes", "adopt", "prod", "--trust", "SHA256:short"], 2, '--trust: "SHA256:short" is not a fingerprint'],
    [["nodes", "drain", "m1", "--deadline", "soon"], 2, '--deadline: "soon" is not a duration'],
    [["nodes", "drain"], 2, "missing required argument"],
    [["burst", "stop"], 2, "missing required argument"],
    [["pool", "--env", "prod"], 1, 'there is no environment "prod" here (there is local)'],
    [["jobs", "submit", "--trace", "/nowhere"], 1, "there is no file /nowhere"],
  ])("spillway %j ends with %i and a sentence", async (words, expected, sentence) => {
    const { code, stdout, stderr } = await bench.run(...words);
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain("    at ");
    expect(stdout).toBe("");
    expect(code).toBe(expected);
  });

  test("--version is one line", async () => {
    const { stdout } = await bench.run("--version");
    expect(stdout).toMatch(/^spillway \d+\.\d+\.\d+\n$/);
  });

  test("a verb that needs no Pulumi and no SSH loads neither", async () => {
    const telling =
      "import{registerHooks}from'node:module';registerHooks({load(url,c,next){if(/@pulumi|ssh2|\\/stacks\\/(?!state-layout)/.test(url))console.log(url);return next(url,c)}})";
    const { code, stdout, stderr } = await bench.start(["run", "--cpu", "x", "--", "true"], {
      nodeFlags: ["--import", `data:text/javascript,${telling}`],
    }).ended;
    expect(stderr).toContain("--cpu");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});
