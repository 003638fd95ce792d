/** Several commands as one, with an answer of each. */
import { randomUUID } from "node:crypto";
import type { CommandResult } from "../ssh/session.ts";
import { commandLine, script } from "./shell.ts";

/** Each runs whatever became of the one before, without input. After what it prints comes a line that nobody can foresee. */
export function inOneGo(commands: readonly (readonly string[])[], marker: string = randomUUID()): { argv: string[]; marker: string } {
  const lines = commands.map((command) => `${commandLine(command)} </dev/null 2>/dev/null; printf '\\n%s %s\\n' "$1" $?`);
  return { argv: script(lines.join("\n"), marker), marker };
}

/** In their order, and only those that are whole: the connection may have broken, or the output have been too long. */
export function answersOf(output: string, marker: string): CommandResult[] {
  const answers: CommandResult[] = [];
  let rest = output;
  for (;;) {
    const end = rest.indexOf(`\n${marker} `);
    const line = /^(\d+)\n/.exec(rest.slice(end + marker.length + 2));
    if (end < 0 || line === null) return answers;
    answers.push({ code: Number(line[1]), stdout: rest.slice(0, end), stderr: "" });
    rest = rest.slice(end + marker.length + 2 + line[0].length);
  }
}
