import { expect, test } from "vitest";
import { readUnitResult, setupFailure } from "./unit-result.ts";

test.each([
  ["success exited 0 running", { exitCode: 0 }],
  ["exit-code exited 3 running", { exitCode: 3 }],
  ["signal killed KILL degraded", { exitCode: 137 }],
  ["success killed TERM running", { exitCode: 143 }],
  ["core-dump dumped SEGV running", { exitCode: 139 }],
  ["signal killed RTMIN+3 running", { exitCode: 165 }],
  ["signal killed RTMAX-1 running", { exitCode: 191 }],
  ["oom-kill killed KILL running", { exitCode: 137, cause: "out-of-memory" }],
  ["success exited 0 stopping", { exitCode: 0, cause: "shutdown" }],
])("%s", (line, end) => {
  expect(readUnitResult(line)).toEqual({ begun: true, ...end });
});

test("a unit that never came to its command is told apart", () => {
  expect(readUnitResult("exit-code none none running")).toEqual({ begun: false, reason: "systemd could not begin it: exit-code" });
});

test.each(["", "0", "success exited", "success exited many running", "signal killed NOSUCH running", "a b c d e"])(
  'a line that is none of ours says nothing: "%s"',
  (line) => {
    expect(readUnitResult(line)).toBeUndefined();
  },
);

test("a launch that failed before its command is explained by what systemd says of it", () => {
  expect(setupFailure(readUnitResult("exit-code exited 226 running"))).toBe("systemd could not set up its unit: status 226/NAMESPACE");
  expect(setupFailure(readUnitResult("exit-code exited 233 running"))).toBe("systemd could not set up its unit: status 233");
  expect(setupFailure(undefined)).toBeUndefined();
});
