/** Ctrl-C during a run of the engine: the terminal tells the engine too, which ends after the steps at work; we stay to record them. */
import { say } from "./output.ts";

const interruptedExitCode = 130;

/** Runs `act`; after a Ctrl-C the exit code is 130 and the way to go on is told. A second one ends at once. */
export async function interruptible<T>(again: string, act: () => Promise<T>): Promise<T> {
  let times = 0;
  const onInterrupt = () => {
    times += 1;
    if (times > 1) process.exit(interruptedExitCode);
    process.exitCode = interruptedExitCode;
    say(`Stopping after the steps at work; what is made is kept. To go on: ${again}   (Ctrl-C again stops at once)`);
  };
  process.on("SIGINT", onInterrupt);
  try {
    return await act();
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}
