/** What tasks wrote, read from a host's own disk and not by way of its agent or the master. */
import { parseTaskId } from "../../../agent/contract/workload.ts";
import type { LabHost } from "./lab-host.ts";

export interface TaskOutputOnDisk {
  readonly taskId: string;
  readonly job: string;
  readonly stdout: string;
}

/** Every attempt that the host still has a directory of. */
export async function taskOutputs(host: Pick<LabHost, "read">): Promise<TaskOutputOnDisk[]> {
  const text = await host.read(
    `cd /var/lib/spillway/agent/tasks 2>/dev/null || exit 0; for task in *; do [ -f "$task/stdout.log" ] && printf '%s %s\\n' "$task" "$(base64 -w0 "$task/stdout.log")"; done; exit 0`,
  );
  return text
    .split("\n")
    .filter(Boolean)
    .flatMap((line) => {
      const [taskId = "", data = ""] = line.split(" ");
      const parsed = parseTaskId(taskId);
      return parsed === undefined ? [] : [{ taskId, job: parsed.job, stdout: Buffer.from(data, "base64").toString("utf8") }];
    });
}
