/** Ends what the agent's tasks left running: normally nothing, since a node that leaves the pool stops its tasks first. */
import { filledIn, type Phase } from "../context.ts";
import { supervisionOf } from "../supervision.ts";

export const stopTasks: Phase = {
  title: "stop tasks",
  applies: (request) => request.role === "agent",
  async run(context) {
    const remote = filledIn(context.remote, "remote");
    const layout = filledIn(context.layout, "layout");
    const supervision = supervisionOf(filledIn(context.facts, "facts"));
    const running = (await remote.read(supervision.readRunningTasks(layout))).stdout.trim();
    if (running === "") return;
    await remote.change("remote.stop", `stop ${running.split("\n").length} running tasks`, supervision.stopTasks(layout));
  },
};
