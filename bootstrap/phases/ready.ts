/** Waits until the role answers as it should; when it does not, its own last words are in the error. */
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import { readRoleLog } from "../commands/role.ts";
import { filledIn, type Phase, whereOf } from "../context.ts";

export const ready: Phase = {
  title: "ready",
  async run(context) {
    const { request } = context;
    if (request.dryRun === true) return;
    try {
      await request.awaitReady();
    } catch (cause) {
      const remote = filledIn(context.remote, "remote");
      const layout = filledIn(context.layout, "layout");
      const log = (await remote.read(readRoleLog(layout, request.role))).stdout.trim();
      throw new SpillwayError(`the ${request.role} did not become ready: ${describeError(cause)}`, {
        code: "not-ready",
        where: whereOf(request.machine),
        cause,
        hint: `Its last log lines (${layout.logFile(request.role)}):\n    ${log === "" ? "(none)" : log.split("\n").join("\n    ")}`,
      });
    }
  },
};
