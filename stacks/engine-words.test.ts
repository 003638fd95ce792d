import { expect, test } from "vitest";
import { engineWords } from "./engine-words.ts";

test("an engine that could not read its stack says that alone", () => {
  const said = `code: -2
 stdout: 
 stderr: Command failed with exit code 1: pulumi stack select --stack burst-b-1 --non-interactive
error: failed to load checkpoint: EOF
 err?: Error: Command failed with exit code 1: pulumi stack select --stack burst-b-1 --non-interactive
error: failed to load checkpoint: EOF
`;
  expect(engineWords(new Error(said))).toBe("error: failed to load checkpoint: EOF");
});

test("an engine that was killed said nothing: the command's own failure is told", () => {
  expect(engineWords(new Error("code: -2\n stdout: \n stderr: \n err?: \n"))).toBe("code: -2");
});

test("any other error is told by its first line", () => {
  expect(engineWords(new Error("spawn pulumi ENOENT\n    at ChildProcess"))).toBe("spawn pulumi ENOENT");
});
