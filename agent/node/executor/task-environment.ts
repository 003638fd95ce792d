/** The environment a task's command gets: a small clean base, what its job asks for, and who it is. Nothing of the agent's own. */
import type { TaskSpec } from "../../contract/workload.ts";

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A job may replace the base, never the SPILLWAY_ names. */
export function taskEnvironment(
  task: TaskSpec,
  host: { node: string; workDirectory: string; path: string | undefined },
): Record<string, string> {
  return {
    PATH: host.path ?? defaultPath,
    HOME: host.workDirectory,
    LANG: "C.UTF-8",
    ...task.env,
    SPILLWAY_JOB: task.job,
    SPILLWAY_INDEX: String(task.index),
    SPILLWAY_ATTEMPT: String(task.attempt),
    SPILLWAY_TASK_ID: task.taskId,
    SPILLWAY_NODE: host.node,
  };
}
