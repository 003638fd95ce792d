/** Waits until the role answers as it should; when it does not, its own last words are in the error. */
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import { whereOf } from "../../agent/contract/machine.ts";
import { readable } from "../commands/shell.ts";
import { filledIn, type Phase } from "../context.ts";
import { supervisionOf } from "../supervision.ts";

export const ready: Phase = {
  title: "ready",
  async run(context) {
    const { request } = context;
    if (request.dryRun === true) return;
    try {
      await request.awaitReady({ bundle: filledIn(context.bundle, "bundle").digest });
    } catch (cause) {
      const remote = filledIn(context.remote, "remote");
      const layout = filledIn(context.layout, "layout");
      const { readRoleLog, logPlace } = supervisionOf(filledIn(context.facts, "facts"));
      const log = readable((await remote.read(readRoleLog(layout, request.role))).stdout.trim());
      throw new SpillwayError(`the ${request.role} did not become ready: ${describeError(cause)}`, {
        code: "not-ready",
        where: whereOf(request.machine),
        cause,
        hint: `Its last log lines (${logPlace(layout, request.role)}):\n    ${log === "" ? "(none)" : log.split("\n").join("\n    ")}`,
      });
    }
  },
};
