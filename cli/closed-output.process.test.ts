/** Somebody closes the terminal, or the reader of a pipe ends, while a command is at work. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";

/** A verb that speaks on one of the streams until it is done, beside a library that reports uncaught exceptions, as Pulumi's does. */
const program = (stream: "stdout" | "stderr") => `
import { dispatch } from ${JSON.stringify(join(import.meta.dirname, "dispatch.ts"))};
let reports = 0;
process.on("uncaughtException", (error) => {
  reports += 1;
  if (reports > 100) process.exit(99);
  console.error(error);
});
const work = async () => {
  for (let step = 0; step < 20; step += 1) {
    process.${stream}.write("step " + step + "\\n");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  process.exitCode = 7;
};
await dispatch([{ name: "work", summary: "", load: async () => (program) => void program.command("work").action(work) }], ["work"]);
`;

async function endsWithout(stream: "stdout" | "stderr"): Promise<number | null> {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program(stream)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  await once(child[stream], "data");
  child[stream].destroy();
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

test("work goes on when nobody reads what is told on stderr, and ends with its own code", async () => {
  expect(await endsWithout("stderr")).toBe(7);
});

test("a command whose result nobody reads any more ends as others do in a pipe", async () => {
  expect(await endsWithout("stdout")).toBe(141);
});
