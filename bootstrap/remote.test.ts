import { expect, it } from "vitest";
import { remoteOver } from "./remote.ts";
import type { CommandResult, Session } from "./ssh/session.ts";

function aSession(result: Partial<CommandResult>) {
  const ran: (readonly string[])[] = [];
  const session: Session = {
    run: async (argv) => {
      ran.push(argv);
      return { code: 0, stdout: "", stderr: "", ...result };
    },
    isOpen: () => true,
    close: () => undefined,
  };
  return { session, ran };
}

it("tells each change by its sentence, and keeps them", async () => {
  const told: string[] = [];
  const { session } = aSession({ stdout: "done" });
  const remote = remoteOver(session, { where: "machine m1", onSentence: (sentence) => told.push(sentence) });
  expect(await remote.change("remote.install", "write a file", ["true"])).toBe("done");
  await remote.read(["cat", "/etc/os-release"]);
  expect(told).toEqual(["write a file"]);
  expect(remote.sentences).toEqual(told);
});

it("runs no change in a dry run, but still looks", async () => {
  const { session, ran } = aSession({});
  const remote = remoteOver(session, { where: "machine m1", dryRun: true });
  await remote.change("remote.install", "write a file", ["touch", "/x"]);
  await remote.read(["ls"]);
  expect(ran).toEqual([["ls"]]);
});

it("says which change failed on which machine, in the command's own words", async () => {
  const remote = remoteOver(aSession({ code: 1, stderr: "mkdir: cannot create directory: Permission denied\n" }).session, {
    where: "machine m1",
  });
  await expect(remote.change("remote.install", "write agent.json", ["x"])).rejects.toMatchObject({
    code: "remote-command-failed",
    where: "machine m1",
    message: "could not write agent.json: mkdir: cannot create directory: Permission denied",
  });
});

it("knows a full disk and says what to do about it", async () => {
  const remote = remoteOver(aSession({ code: 1, stderr: "cat: write error: No space left on device" }).session, { where: "machine m1" });
  await expect(remote.change("remote.upload", "upload the bundle", ["x"])).rejects.toMatchObject({
    code: "disk-full",
    hint: expect.stringContaining("Free some space"),
  });
});

it("answers what it has fetched in one go without asking again, until something is changed", async () => {
  const ran: string[] = [];
  const session: Session = {
    run: async (argv) => {
      ran.push(argv.join(" "));
      const marker = argv.at(-1) ?? "";
      const stdout = argv[0] === "sh" ? `one\n\n${marker} 0\n\n${marker} 3\n` : "asked";
      return { code: 0, stdout, stderr: "" };
    },
    isOpen: () => true,
    close: () => undefined,
  };
  const remote = remoteOver(session, { where: "machine m1" });
  await remote.prefetch([["one"], ["two", "2"], ["cut", "off"]]);
  expect(await remote.read(["one"])).toEqual({ code: 0, stdout: "one\n", stderr: "" });
  expect(await remote.read(["two", "2"])).toMatchObject({ code: 3, stdout: "" });
  expect(ran).toHaveLength(1);
  expect((await remote.read(["cut", "off"])).stdout).toBe("asked");
  expect((await remote.read(["one"], { stdin: "its input" })).stdout).toBe("asked");
  await remote.change("remote.upload", "bring something", ["bring"], { leavesFetched: true });
  expect((await remote.read(["one"])).stdout).toBe("one\n");
  await remote.change("remote.install", ["write this", "write that"], ["write"]);
  expect((await remote.read(["one"])).stdout).toBe("asked");
  expect(remote.sentences).toEqual(["bring something", "write this", "write that"]);
});
