import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { endUnlessClaimed } from "./unclaimed.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-unclaimed-"));
  writeFileSync(join(directory, "sleep"), "#!/bin/sh\n", { mode: 0o755 });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Runs it on a machine whose systemd says that of the agent's unit. */
function run(...states: readonly string[]): string {
  writeFileSync(join(directory, "states"), states.map((state) => `${state}\n`).join(""));
  const systemctl = `#!/bin/sh\ncd ${directory}\nhead -n1 states; sed -i 1d states\n`;
  writeFileSync(join(directory, "systemctl"), systemctl, { mode: 0o755 });
  const script = endUnlessClaimed(["printf", "%s", "it's over"]);
  return spawnSync("sh", ["-c", script], { encoding: "utf8", env: { PATH: `${directory}:${process.env.PATH}` } }).stdout;
}

it("ends a machine without an agent, by the provider's own command", () => {
  expect(run("inactive", "inactive")).toBe("it's over");
});

it.each([["active"], ["activating"], ["inactive", "activating"], ["inactive", "active"]])(
  "leaves one alone whose agent is %s %s",
  (...states) => {
    expect(run(...states)).toBe("");
  },
);
