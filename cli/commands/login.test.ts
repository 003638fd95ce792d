import { describe, expect, test } from "vitest";
import { commandBench } from "../testing/command-bench.ts";

const bench = commandBench();

describe("login", () => {
  test("never prints the token unless asked to", async () => {
    const { stdout, stderr } = await bench.run("login");
    expect(stdout).toContain(bench.master.url);
    expect(stdout + stderr).not.toContain("very-secret");
    expect((await bench.run("login", "--output", "json")).stdout).not.toContain("very-secret");
    expect((await bench.run("login", "--show-token")).stdout).toBe("very-secret\n");
    expect(JSON.parse((await bench.run("login", "--show-token", "--output", "json")).stdout)).toMatchObject({ token: "very-secret" });
  });
});
