import { describe, expect, test } from "vitest";
import { commandBench } from "../testing/command-bench.ts";

const bench = commandBench();

describe("nodes shell", () => {
  test("without a terminal and without a command, says how it goes, before it looks anything up", async () => {
    const { code, stderr } = await bench.run("nodes", "shell", "m-1");
    expect(code).toBe(2);
    expect(stderr).toBe("a shell needs a terminal, and there is none\n  Give a command: spillway nodes shell m-1 -- COMMAND\n");
  });

  test("where there is no state yet, the next step is told, and 125 is no command's code", async () => {
    const { code, stderr } = await bench.run("nodes", "shell", "m-1", "--env", "local", "--", "true");
    expect(code).toBe(125);
    expect(stderr).toContain('the environment "local" has no machines yet\n  `./spillway up local` makes them.\n');
  });
});

describe("nodes trust", () => {
  test("takes a fingerprint only as ssh-keygen writes it", async () => {
    const { code, stderr } = await bench.run("nodes", "trust", "m-1", "--fingerprint", "MD5:aa");
    expect(code).toBe(2);
    expect(stderr).toContain("SHA256: and 43 characters");
  });
});
