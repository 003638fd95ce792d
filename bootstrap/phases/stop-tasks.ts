/** Ends what the agent's tasks left running: normally nothing, since a node that leaves the pool stops its tasks first. */
import { readRunningTasks, stopTasks as stopTasksCommand } from "../commands/role.ts";
import { filledIn, type Phase } from "../context.ts";

export const stopTasks: Phase = {
  title: "stop tasks",
  applies: (request) => request.role === "agent",
  async run(context) {
    const remote = filledIn(context.remote, "remote");
    const layout = filledIn(context.layout, "layout");
    const running = (await remote.read(readRunningTasks(layout))).stdout.trim();
    if (running === "") return;
    await remote.change("remote.stop", `stop ${running.split("\n").length} running tasks`, stopTasksCommand(layout));
  },
};
