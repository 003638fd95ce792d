/**
 * What is on disk about one attempt, `<stateDir>/tasks/<taskId>/`:
 * spec.json (the intent: durable before anything is started) · started/ (the latch) with pid or by · work/ (the command's
 * directory) · stdout.log, stderr.log, each with .cut when its beginning is gone · user (whose processes it is, where no systemd makes one) · stop.json (it is to end, and why) · result (a line, by what watches over the
 * command) · outcome.json (how it ended, when there can be no result) · recorded (the master knows) · for systemd
 * command.sh (the command and its environment) and unit.sh (what the unit does before and after it).
 */
import { mkdir, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { taskReport, taskSpec } from "../../contract/workload.ts";
import { writeDurably } from "../durable-file.ts";

const intent = z.object({ task: taskSpec, bootId: z.string().describe("of the host when the intent was written") });
export type Intent = z.infer<typeof intent>;

const stopIntent = z.object({
  reason: z.string(),
  state: z.enum(["cancelled", "failed"]).describe("what the attempt ends as"),
  killAt: z.number().describe("ms since the epoch: when KILL follows TERM"),
});
export type StopIntent = z.infer<typeof stopIntent>;

const supervisorPid = z.coerce.number().int().positive();

/** The latch has fallen: the attempt has begun, or nobody may begin it any more. */
export interface Started {
  /** ms since the epoch. */
  readonly at: number;
  /** The task supervisor's process, once it is written. */
  readonly pid: number | undefined;
  /** The token of the launch that holds the latch, where launches have one. */
  readonly by: string | undefined;
}

export type TaskDirectory = ReturnType<typeof taskDirectory>;

export function taskDirectory(path: string) {
  const file = (name: string) => join(path, name);
  return {
    path,
    work: file("work"),
    stdout: file("stdout.log"),
    stderr: file("stderr.log"),

    /** Makes the directory with empty logs, so that a full or read-only disk shows before the command runs. */
    async prepare(): Promise<void> {
      await mkdir(file("work"), { recursive: true, mode: 0o700 });
      for (const name of ["stdout.log", "stderr.log"]) await (await open(file(name), "a", 0o600)).close();
    },

    writeIntent: (content: Intent) => writeDurably(file("spec.json"), JSON.stringify(content)),
    readIntent: () => readJson(file("spec.json"), intent),
    /** Keeps the next agent from starting it. */
    discardIntent: () => rm(file("spec.json"), { force: true }),

    writeStop: (content: StopIntent) => writeDurably(file("stop.json"), JSON.stringify(content)),
    readStop: () => readJson(file("stop.json"), stopIntent),

    writeOutcome: (report: z.infer<typeof taskReport>) => writeDurably(file("outcome.json"), JSON.stringify(report)),
    readOutcome: () => readJson(file("outcome.json"), taskReport),

    async readStarted(): Promise<Started | undefined> {
      const latch = await statIfThere(file("started"));
      if (latch === undefined) return undefined;
      const pid = supervisorPid.safeParse((await readIfThere(file("started/pid")))?.trim());
      return { at: Math.round(latch.mtimeMs), pid: pid.data, by: (await readIfThere(file("started/by")))?.trim() };
    },

    /** Makes the latch fall for nobody, so that the command can't begin. False when it has fallen before. */
    async claimLatch(): Promise<boolean> {
      try {
        await mkdir(file("started"), { mode: 0o700 });
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
        throw error;
      }
    },

    /** The first line of the result. An empty file is what a power loss may leave of it: no result. */
    async readResult(): Promise<{ line: string; at: number } | undefined> {
      const line = (await readIfThere(file("result")))?.split("\n")[0]?.trim();
      return line === undefined || line === "" ? undefined : { line, at: Math.round((await stat(file("result"))).mtimeMs) };
    },

    /** Files for the unit of this attempt, the owner's alone. */
    commandScript: file("command.sh"),
    unitScript: file("unit.sh"),

    markRecorded: () => writeFile(file("recorded"), ""),
    isRecorded: async () => (await statIfThere(file("recorded"))) !== undefined,
  };
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(undefinedWhenAbsent);
}

function statIfThere(path: string) {
  return stat(path).catch(undefinedWhenAbsent);
}

function undefinedWhenAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw error;
}
