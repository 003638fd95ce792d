/** Services of OpenRC: the script it runs, and the exact words that it is given. What they do on a host is in test/lab. */
import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { installLayout } from "../../agent/contract/install-layout.ts";
import { supervisionOf } from "../supervision.ts";
import { initScript, openrcSupervision } from "./openrc.ts";

const layout = installLayout("");

it("is chosen for hosts whose services OpenRC starts, and for nothing else", () => {
  expect(supervisionOf({ root: "", openrc: "0.45.2" })).toBe(openrcSupervision);
  expect(supervisionOf({ root: "", systemd: 252 }).executor).toBe("systemd");
  expect(supervisionOf({ root: "/m", openrc: "0.45.2" })).not.toBe(openrcSupervision);
});

it("has a service of the role's own supervisor, started by OpenRC at boot and ended with a grace", () => {
  const [file] = openrcSupervision.files(layout, "agent");
  expect(file).toMatchObject({ path: "/etc/init.d/spillway-agent", mode: "755" });
  const text = file?.content ?? "";
  expect(text).toMatch(/^#!\/sbin\/openrc-run\n/);
  expect(text).toContain(
    "nohup sh /opt/spillway/agent/supervise.sh /var/lib/spillway/agent -- /opt/spillway/agent/bin/node --lite-mode /opt/spillway/agent/agent.js agent --config /etc/spillway/agent.json",
  );
  // The agent's end must not be the end of its tasks.
  expect(text).toContain("rc_cgroup_cleanup=no");
  expect(() => execFileSync("sh", ["-n"], { input: initScript(layout, "master") })).not.toThrow();
});

it("runs each task as a user of its own, since there is no systemd to do so", () => {
  expect(openrcSupervision.executor).toBe("process");
  expect(openrcSupervision.taskUsers).toEqual({ first: 61_184, last: 65_519 });
});

it.each(["readSupervised", "readOutdated", "startRole", "stopRole", "forgetRole", "readRoleLog"] as const)(
  "%s is a script that every POSIX shell can read",
  (name) => {
    for (const role of ["agent", "master"] as const) {
      const [, , text = ""] = openrcSupervision[name](layout, role);
      expect(() => execFileSync("sh", ["-n"], { input: text })).not.toThrow();
    }
  },
);
