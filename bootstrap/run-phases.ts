/** Runs an action's phases in order, telling which one is at work, and closes the session whatever happens. */
import { SpillwayError } from "../agent/contract/errors.ts";
import type { BootstrapContext, BootstrapRequest, Phase } from "./context.ts";

/** Returns the sentences of what was changed; empty when everything was as it should be. */
export async function runPhases(phases: readonly Phase[], request: BootstrapRequest): Promise<readonly string[]> {
  const context: BootstrapContext = { request, restartNeeded: false };
  const applying = phases.filter((phase) => phase.applies?.(request) ?? true);
  try {
    for (const [index, phase] of applying.entries()) {
      if (request.signal?.aborted === true) {
        throw new SpillwayError("cancelled before it was complete", {
          code: "cancelled",
          where: `machine ${request.machine.name}`,
          hint: "The next run goes on from here.",
        });
      }
      request.onProgress?.(`${index + 1}/${applying.length} ${phase.title}`);
      await phase.run(context);
    }
    return context.remote?.sentences ?? [];
  } finally {
    context.session?.close();
  }
}
