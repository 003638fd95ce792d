/** Rows of a running `up` or `destroy`: on a terminal the running ones are a status line, without one each step is a line. */
import { formatDuration } from "../agent/contract/quantities.ts";
import type { Row } from "../stacks/workflow/progress.ts";
import { paint, plain, say, status } from "./output.ts";

/** Returns the callback that shows each row as it moves. */
export function showRows(): (row: Row) => void {
  const running = new Map<string, string>();
  return (row) => {
    const name = row.name.padEnd(14);
    if (row.state === "running") {
      running.set(row.name, row.step);
      const words = [...running].map(([each, step]) => (step === "" ? each : `${each} ${step}`));
      status(`  ${words.join(" · ")}`);
      return;
    }
    running.delete(row.name);
    const mark = row.state === "done" ? paint("green", "✓", process.stderr) : paint("red", "✗", process.stderr);
    say(`  ${mark} ${name} ${row.operation.padEnd(8)} ${formatDuration(row.ms)}${row.step === "" ? "" : `   ${plain(row.step)}`}`);
  };
}
