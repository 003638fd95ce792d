/** Fact: an id that changes when the host is rebooted, so that a task which vanished can be told from one that was cut off. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Each system's own boot id; `unknown` where there is none: a reboot is then told as vanished processes. */
export function bootIdFact(
  platform: string = process.platform,
  readFile: (path: string) => string = (path) => readFileSync(path, "utf8"),
  run: (command: string, args: string[]) => string = (command, args) => execFileSync(command, args, { encoding: "utf8" }),
): string {
  if (platform === "linux") return readFile("/proc/sys/kernel/random/boot_id").trim();
  // kern.boottime would do, but it moves when the clock is set; this does not.
  if (platform === "darwin") return run("/usr/sbin/sysctl", ["-n", "kern.bootsessionuuid"]).trim();
  return "unknown";
}
