/** A user of its own for each task, where the agent is root and no systemd makes one: which are free, and what a task of that user may reach. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { AgentConfig } from "../../contract/agent-config.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { killProcessesOf } from "./supervisor-process.ts";
import type { TaskDirectory } from "./task-directory.ts";

type Range = NonNullable<AgentConfig["taskUsers"]>;

export type TaskUsers = ReturnType<typeof taskUsers>;

/** Where util-linux puts it. */
const setprivPlaces = ["/usr/bin/setpriv", "/bin/setpriv"];

export function taskUsers(range: Range, findSetpriv: () => string | undefined = () => setprivPlaces.find(existsSync)) {
  /** user id → task */
  const held = new Map<number, string>();

  return {
    /**
     * Takes a user for an attempt and gives it its work directory and its output. The file `user` in the attempt's
     * directory tells the supervisor. Throws a SpillwayError when there is no way to become another user, or no user is free.
     */
    async take(taskId: string, directory: TaskDirectory): Promise<void> {
      const setpriv = findSetpriv();
      if (setpriv === undefined) {
        throw new SpillwayError("this host lacks setpriv (util-linux), so no task can run as a user of its own", { code: "no-setpriv" });
      }
      const user = freeUser(taskId, range, new Set(held.keys()));
      held.set(user, taskId);
      for (const path of [directory.work, directory.stdout, directory.stderr]) await chown(path, user, user);
      await letThrough(directory.path);
      await writeFile(join(directory.path, "user"), `${user} ${setpriv}\n`, { mode: 0o600 });
    },

    /** The user of an attempt that a former agent has begun stays its own. */
    hold(taskId: string, directory: TaskDirectory): void {
      const user = userIn(directory);
      if (user !== undefined) held.set(user, taskId);
    },

    /** Ends what an attempt has left running when its supervisor is gone. */
    killAllOf(taskId: string): void {
      for (const [user, holder] of held) if (holder === taskId) killProcessesOf(user);
    },

    release(taskId: string): void {
      for (const [user, holder] of held) if (holder === taskId) held.delete(user);
    },
  };
}

/** Begins at a place of the task's own, so that an id that has just become free is not the next one's. Pure. */
export function freeUser(taskId: string, { first, last }: Range, taken: ReadonlySet<number>): number {
  const count = last - first + 1;
  const start = createHash("sha256").update(taskId).digest().readUInt32BE(0) % count;
  for (let step = 0; step < count; step++) {
    const user = first + ((start + step) % count);
    if (!taken.has(user)) return user;
  }
  throw new SpillwayError(`all ${count} users for tasks are taken on this node`, { code: "no-free-user" });
}

function userIn(directory: TaskDirectory): number | undefined {
  try {
    const user = Number(readFileSync(join(directory.path, "user"), "utf8").split(" ")[0]);
    return Number.isInteger(user) && user > 0 ? user : undefined;
  } catch {
    return undefined;
  }
}

/** A task's user may pass through the directories above its own (`…/spillway/agent/tasks/ID`), and see nothing in them. */
async function letThrough(taskDirectory: string): Promise<void> {
  const tasks = dirname(taskDirectory);
  const state = dirname(tasks);
  for (const path of [dirname(state), state, tasks, taskDirectory]) {
    const { mode } = await stat(path);
    if ((mode & 0o011) !== 0o011) await chmod(path, (mode & 0o7777) | 0o011);
  }
}
