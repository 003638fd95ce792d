import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, it } from "vitest";
import { commandLine, script } from "./shell.ts";

it("leaves plain words as they are and quotes the others", () => {
  expect(commandLine(["ln", "-sfn", "/a/b", "it's here"])).toBe("ln -sfn /a/b 'it'\\''s here'");
});

it("gives a shell exactly the words it was given, whatever they hold", () => {
  const word = fc.string({ unit: "binary", maxLength: 12 }).filter((text) => !text.includes("\0"));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const line = commandLine(["printf", "%s\\001", ...words]);
      const printed = execFileSync("/bin/sh", ["-c", line]);
      expect(printed.toString("utf8").split("\u0001").slice(0, -1).join("\u0001")).toBe(
        Buffer.from(words.join("\u0001"), "utf8").toString("utf8"),
      );
    }),
    { numRuns: 60 },
  );
});

it("refuses a NUL, which no shell can take", () => {
  expect(() => commandLine(["echo", "a\0b"])).toThrow(RangeError);
});

it("hands a script its arguments as parameters, never as text of the script", () => {
  const line = commandLine(script('printf "%s" "$1"', "$(echo no); `echo no`"));
  expect(execFileSync("/bin/sh", ["-c", line], { encoding: "utf8" })).toBe("$(echo no); `echo no`");
});
