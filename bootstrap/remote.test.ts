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
