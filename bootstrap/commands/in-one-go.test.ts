import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { answersOf, inOneGo } from "./in-one-go.ts";

function run(commands: readonly (readonly string[])[]): { output: string; marker: string } {
  const { argv, marker } = inOneGo(commands);
  const [program = "", ...args] = argv;
  return { output: spawnSync(program, args, { input: "not theirs\n", encoding: "utf8" }).stdout, marker };
}

it("gives each command's own output and exit code, whatever the others do", () => {
  const { output, marker } = run([
    ["printf", "%s", "no line end"],
    ["sh", "-c", "echo one; echo two; echo aside >&2; exit 7"],
    ["cat"],
    ["there-is-no-such-program"],
    ["printf", "it's \n\n"],
  ]);
  expect(answersOf(output, marker)).toEqual([
    { code: 0, stdout: "no line end", stderr: "" },
    { code: 7, stdout: "one\ntwo\n", stderr: "" },
    { code: 0, stdout: "", stderr: "" },
    { code: 127, stdout: "", stderr: "" },
    { code: 0, stdout: "it's \n\n", stderr: "" },
  ]);
});

it("leaves out what was cut off", () => {
  const { output, marker } = run([
    ["echo", "one"],
    ["echo", "two"],
  ]);
  for (let length = 0; length < output.length; length++) {
    const answers = answersOf(output.slice(0, length), marker);
    expect(answers.length).toBeLessThan(2);
    if (answers.length > 0) expect(answers[0]?.stdout).toBe("one\n");
  }
});
