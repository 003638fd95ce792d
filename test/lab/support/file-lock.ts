/** A lock between processes of this machine; the kernel gives it back when its holder dies. */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Waits for the lock file, then acts while no other process holds it. `flock` ends when its input closes, so kill -9 releases it too. */
export async function withFileLock<T>(file: string, act: () => Promise<T>): Promise<T> {
  const [program, ...words] = ["flock", "--exclusive", file, "sh", "-c", "echo held; read -r _"] as const;
  const holder = spawn(program, words, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(holder, "close");
  await Promise.race([
    once(holder.stdout, "data"),
    ended.then(() => {
      throw new Error(`can't lock ${file}`);
    }),
  ]);
  try {
    return await act();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
