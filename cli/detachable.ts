/** Waiting that may be left: what was asked for goes on without the person. */
import { say } from "./output.ts";

const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 143 } as const;

/** Runs `act` with a signal that Ctrl-C aborts. Undefined when it was left: then `goesOn` was told and the exit code is 130 or 143. */
export async function detachable<T>(goesOn: string, act: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
  const left = new AbortController();
  const signals = Object.entries(exitCodes) as [keyof typeof exitCodes, number][];
  const handlers = signals.map(([name, code]) => {
    const onSignal = () => {
      process.exitCode = code;
      left.abort();
    };
    process.on(name, onSignal);
    return () => process.off(name, onSignal);
  });
  const { promise: leaving, resolve } = Promise.withResolvers<undefined>();
  left.signal.addEventListener("abort", () => resolve(undefined), { once: true });
  const acting = act(left.signal);
  try {
    const result = await Promise.race([acting, leaving]);
    // Whatever it still says after it was left is nobody's concern.
    acting.catch(() => {});
    if (left.signal.aborted) say(goesOn);
    return left.signal.aborted ? undefined : result;
  } finally {
    for (const off of handlers) off();
  }
}
