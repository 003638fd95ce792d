/** The two slots on a real file system, under each shell that is called `sh` somewhere. */
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type InstallLayout, installLayout } from "../../agent/contract/install-layout.ts";
import { slotsIn } from "../slots.ts";
import { uninstallRole } from "./role.ts";
import { beginTrial, endTrial, flipBack, flipSlots, readSlots } from "./slots.ts";

const [a, b, c] = ["aaaa", "bbbb", "cccc"];

describe.each([["/bin/dash"], ["/bin/bash"], ["/bin/busybox", "sh"]].filter(([shell]) => existsSync(shell ?? "")))(
  "under %s",
  (...shell) => {
    let root: string;
    let layout: InstallLayout;
    let unit: string;
    beforeEach(() => {
      root = mkdtempSync(join(tmpdir(), "spillway slots "));
      layout = installLayout(root);
      unit = layout.unitFile("agent");
      for (const digest of [a, b, c]) {
        mkdirSync(join(layout.bundle(digest), "bin"), { recursive: true });
        writeFileSync(join(layout.bundle(digest), "agent.js"), "");
        writeFileSync(join(layout.bundle(digest), "bin/node"), "", { mode: 0o755 });
      }
      mkdirSync(dirname(unit), { recursive: true });
      writeFileSync(unit, "unit of a\n");
      symlinkSync(layout.bundle(a), layout.current("agent"));
    });
    afterEach(() => {
      rmSync(root, { recursive: true, force: true });
    });

    const run = ([, ...words]: readonly string[], input = "") => {
      const [program = "", ...before] = shell;
      return execFileSync(program, [...before, ...words], { encoding: "utf8", input, stdio: ["pipe", "pipe", "inherit"] });
    };
    const slots = () => slotsIn(run(readSlots(layout, "agent")));
    const begin = (digest: string, tasks: readonly string[] = []) =>
      run(beginTrial(layout, "agent", { digest, files: [unit] }), JSON.stringify({ from: a, tasks }));
    /** The whole way to another bundle, as the phase does it. */
    const flipTo = (digest: string, tasks: readonly string[] = []) => {
      begin(digest, tasks);
      writeFileSync(unit, `unit of ${digest}\n`);
      run(flipSlots(layout, "agent", digest));
    };

    it("tells what is in the slots", () => {
      expect(slots()).toEqual({ current: a, whole: true });
      flipTo(b, ["job.0.1"]);
      expect(slots()).toEqual({ current: b, before: a, whole: true, trial: { from: a, tasks: ["job.0.1"] } });
      rmSync(layout.bundle(b), { recursive: true });
      expect(slots()).toMatchObject({ current: b, whole: false });
      rmSync(layout.current("agent"));
      expect(slots()).toMatchObject({ whole: false });
      expect(slots().current).toBeUndefined();
    });

    it("goes to another bundle and back, with the unit that belongs to it", () => {
      flipTo(b);
      run(flipBack(layout, "agent", b));
      expect(slots()).toEqual({ current: a, whole: true });
      expect(readFileSync(unit, "utf8")).toBe("unit of a\n");
      expect(existsSync(layout.filesBefore("agent"))).toBe(false);
    });

    it("goes back once, however often it is asked to", () => {
      flipTo(b);
      for (let time = 0; time < 3; time += 1) run(flipBack(layout, "agent", b));
      expect(slots()).toEqual({ current: a, whole: true });
    });

    it("leaves the slots as they were when a trial is taken back, and can go back further then", () => {
      flipTo(b);
      run(endTrial(layout, "agent"));
      flipTo(c);
      flipTo(c);
      for (let time = 0; time < 2; time += 1) run(flipBack(layout, "agent", c));
      expect(slots()).toEqual({ current: b, before: a, whole: true });
      expect(readFileSync(unit, "utf8")).toBe("unit of bbbb\n");
      for (let time = 0; time < 2; time += 1) run(flipBack(layout, "agent", b));
      expect(slots()).toEqual({ current: a, whole: true });
      expect(readFileSync(unit, "utf8")).toBe("unit of a\n");
    });

    it("keeps the way back over a flip that is done again", () => {
      flipTo(b, ["job.0.1"]);
      flipTo(b, ["job.1.1"]);
      // What had to be taken over at the restart, not what runs since.
      expect(slots()).toEqual({ current: b, before: a, whole: true, trial: { from: a, tasks: ["job.0.1"] } });
      run(flipBack(layout, "agent", b));
      expect(readFileSync(unit, "utf8")).toBe("unit of a\n");
    });

    it("takes back only the files where it died before it flipped, and keeps the slot before", () => {
      flipTo(b);
      run(endTrial(layout, "agent"));
      begin(c);
      writeFileSync(unit, "unit of c\n");
      run(flipBack(layout, "agent", c));
      expect(slots()).toMatchObject({ current: b, before: a });
      expect(readFileSync(unit, "utf8")).toBe("unit of bbbb\n");
    });

    it("notes anew what runs where the flip was not reached the first time", () => {
      begin(b, ["job.0.1"]);
      begin(b, ["job.7.1"]);
      expect(slots().trial).toEqual({ from: a, tasks: ["job.7.1"] });
    });

    it("deletes after a trial what is in no slot of either role", () => {
      symlinkSync(layout.bundle(c), layout.before("master"));
      flipTo(b);
      writeFileSync(join(layout.bundles, "dddd"), "");
      run(endTrial(layout, "agent"));
      expect([a, b, c, "dddd"].map((digest) => existsSync(layout.bundle(digest)))).toEqual([true, true, true, false]);
      expect(slots().trial).toBeUndefined();
    });

    it("leaves both slots of the other role when one is uninstalled", () => {
      symlinkSync(layout.bundle(b), layout.current("master"));
      symlinkSync(layout.bundle(c), layout.before("master"));
      flipTo(c);
      run(uninstallRole(layout, "agent"));
      expect([a, b, c].map((digest) => existsSync(layout.bundle(digest)))).toEqual([false, true, true]);
      expect(readlinkSync(layout.current("master"))).toBe(layout.bundle(b));
      for (const path of [layout.current("agent"), layout.before("agent"), layout.filesBefore("agent"), layout.trial("agent")])
        expect(lstatSync(path, { throwIfNoEntry: false }), path).toBeUndefined();
    });
  },
);
