/** Runs an action's phases in order, telling which one is at work; goes on after a broken connection, and closes the session whatever happens. */
import { cancelled, SpillwayError } from "../agent/contract/errors.ts";
import { hostsAtOnce } from "./at-once.ts";
import { type BootstrapContext, type BootstrapRequest, type Phase, patienceOf } from "./context.ts";
import { giveBack } from "./ssh/kept-sessions.ts";
import { type Clock, pauseMs, realClock } from "./ssh/reconnecting.ts";

/**
 * Returns the sentences of what was changed; empty when everything was as it should be. When the connection breaks it is
 * made again and the phases begin anew, leaving alone what is done, until they get no farther for as long as the request is
 * patient. What a command says, or the machine, is thrown at once.
 */
export async function runPhases(phases: readonly Phase[], request: BootstrapRequest, clock: Clock = realClock): Promise<readonly string[]> {
  const applying = phases.filter((phase) => phase.applies?.(request) ?? true);
  return await hostsAtOnce(async () => {
    const sentences: string[] = [];
    let restartNeeded = false;
    let patienceMs = patienceOf(request);
    /** The phase in which the connection broke, of those the last in the list, and when it broke there first. */
    let broken: { readonly phase: number; readonly at: number; readonly tries: number } | undefined;
    for (;;) {
      const context: BootstrapContext = { request: { ...request, patienceMs }, restartNeeded };
      let at = 0;
      try {
        for (at = 0; at < applying.length; at++) await runPhase(applying, at, context);
        if (context.session !== undefined) giveBack(request.machine, context.session);
        delete context.session;
        return [...sentences, ...(context.remote?.sentences ?? [])];
      } catch (error) {
        const now = clock.now();
        broken = broken === undefined || at > broken.phase ? { phase: at, at: now, tries: 1 } : { ...broken, tries: broken.tries + 1 };
        const pause = pauseMs(broken.tries, clock.random());
        patienceMs = broken.at + patienceOf(request) - now - pause;
        if (!isLost(error) || patienceMs < 0 || request.signal?.aborted === true) throw error;
        sentences.push(...(context.remote?.sentences ?? []));
        restartNeeded = context.restartNeeded;
        request.onProgress?.(`the SSH connection broke (${applying[at]?.title}); connecting again`);
        await clock.pause(pause, request.signal);
      } finally {
        context.session?.close();
      }
    }
  });
}

async function runPhase(applying: readonly Phase[], at: number, context: BootstrapContext): Promise<void> {
  const { machine, onProgress, signal } = context.request;
  const phase = applying[at] as Phase;
  if (signal?.aborted === true) throw cancelled(`machine ${machine.name}`);
  onProgress?.(`${at + 1}/${applying.length} ${phase.title}`);
  await phase.run(context);
}

/** Whether the connection broke, as opposed to what a command or the machine said over it. */
function isLost(error: unknown): boolean {
  return error instanceof SpillwayError && error.code === "ssh-lost";
}
