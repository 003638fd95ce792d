/**
 * What is on disk about one attempt, `<stateDir>/tasks/<taskId>/`:
 * spec.json (the intent: durable before anything is started) · started/ (the latch) with pid · work/ (the command's
 * directory) · stdout.log, stderr.log · stop.json (it is to end, and why) · result (the exit code, by the task
 * supervisor) · outcome.json (how it ended, when there can be no result) · recorded (the master knows).
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
const exitCode = z.coerce.number().int().min(0).max(255);

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

    /** When the latch fell, and the task supervisor's pid once it is written. */
    async readStarted(): Promise<{ at: number; pid: number | undefined } | undefined> {
      const latch = await statIfThere(file("started"));
      if (latch === undefined) return undefined;
      const pid = supervisorPid.safeParse((await readIfThere(file("started/pid")))?.trim());
      return { at: Math.round(latch.mtimeMs), pid: pid.data };
    },

    async readResult(): Promise<{ exitCode: number; at: number } | undefined> {
      const text = await readIfThere(file("result"));
      if (text === undefined) return undefined;
      // An empty file is what a power loss may leave of it: no result.
      const code = exitCode.safeParse(text.trim() === "" ? undefined : text.trim());
      return code.success ? { exitCode: code.data, at: Math.round((await stat(file("result"))).mtimeMs) } : undefined;
    },

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
