/** Asks systemd, by the commands it comes with: they reach process 1 by a socket of its own and need no message bus. */
import { execFile } from "node:child_process";
import { SpillwayError } from "../../contract/errors.ts";

/** systemd answers in ms; one that is busy with a reload may take seconds. */
const answerMs = 60_000;

/** What the command printed. Throws `systemd-refused` with systemd's own words. */
export function askSystemd(command: "systemctl" | "systemd-run", args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", SYSTEMD_COLORS: "0", SYSTEMD_PAGER: "" };
    execFile(command, args, { env, timeout: answerMs, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const said = stderr.trim().split("\n").slice(0, 3).join(" ");
      const reason = error.killed === true ? `no answer within ${answerMs / 1000} s` : said === "" ? error.message : said;
      reject(new SpillwayError(`systemd refuses it: ${reason}`, { code: "systemd-refused", cause: error }));
    });
  });
}
