/** A control group of its own for each host: without one, the systemds of all hosts would share one tree and end each other's units. */
import { existsSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";

/** systemd's own hierarchy and the unified one where both are (hybrid), else the one that is there. */
const hierarchies = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

/** argv that runs a program in a control group of that name, which is made when it is not there. */
export function inControlGroup(name: string, argv: readonly string[]): string[] {
  const files = mounted().map((hierarchy) => {
    mkdirSync(join(hierarchy, name), { recursive: true });
    return join(hierarchy, name, "cgroup.procs");
  });
  return ["sh", "-c", 'for file in $1; do echo $$ > "$file" || exit 1; done; shift; exec "$@"', "sh", files.join(" "), ...argv];
}

/** Directories of the labs' control groups whose name starts so. */
export function controlGroupsNamed(prefix: string): string[] {
  return mounted().flatMap((hierarchy) =>
    readdirSync(hierarchy)
      .filter((name) => name.startsWith(prefix))
      .map((name) => join(hierarchy, name)),
  );
}

/** Removes a control group and all below; no process may be in them any more. */
export function removeControlGroup(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeControlGroup(join(directory, entry.name));
  }
  rmdirSync(directory);
}

function mounted(): string[] {
  return hierarchies.filter((hierarchy) => existsSync(join(hierarchy, "cgroup.procs")));
}
