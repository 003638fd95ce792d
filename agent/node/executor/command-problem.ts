/** Tells a command that can't be run from one that ends with 126 or 127 by itself. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** Why a command can't be run, when the file system says so: else its 126 or 127 was its own. */
export function commandProblem(command: string, path: string, workDirectory: string): string | undefined {
  const candidates = command.includes("/")
    ? [isAbsolute(command) ? command : join(workDirectory, command)]
    : path.split(delimiter).map((folder) => join(folder === "" ? workDirectory : folder, command));
  const files = candidates.filter((candidate) => statSync(candidate, { throwIfNoEntry: false })?.isFile() ?? false);
  if (files.length === 0) return `there is no command "${command}" on this node`;
  return files.some(isExecutable) ? undefined : `"${command}" is not executable`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
