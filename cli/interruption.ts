/** What Ctrl-C means while a job is followed: on a terminal a question, without one a cancellation; it never kills unasked. */

export type Interruption = "cancel" | "detach-interrupted" | "detach-terminated";

export interface InterruptionOptions {
  readonly onChoice: (choice: Interruption) => void;
  readonly ask: (question: string) => void;
  /** Called when the question was answered with neither. */
  readonly goOn: () => void;
}

const question = "Cancel the job, or detach and leave it running? [c/d, any other key: go on following] ";

/**
 * Installs handlers and returns the function that takes them off again. On a terminal the first Ctrl-C asks, a second
 * one detaches. Without a terminal SIGINT cancels and a second one detaches. SIGTERM and SIGHUP always detach.
 */
export function onInterruption({ onChoice, ask, goOn }: InterruptionOptions): () => void {
  const terminal = process.stdin.isTTY && process.stderr.isTTY;
  let interrupted = false;

  const answer = (key: Buffer): void => {
    listen(false);
    const letter = key.toString().toLowerCase();
    if (letter === "c") onChoice("cancel");
    else if (letter === "d" || letter === "\u0003") onChoice("detach-interrupted");
    else {
      interrupted = false;
      goOn();
    }
  };
  const listen = (on: boolean): void => {
    process.stdin.off("data", answer);
    process.stdin.setRawMode(on);
    if (!on) return void process.stdin.pause();
    process.stdin.once("data", answer);
    process.stdin.resume();
  };
  const onInterrupt = (): void => {
    if (interrupted) return onChoice("detach-interrupted");
    interrupted = true;
    if (!terminal) return onChoice("cancel");
    ask(question);
    listen(true);
  };
  const onTerminate = (): void => onChoice("detach-terminated");

  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  process.on("SIGHUP", onTerminate);
  return () => {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onTerminate);
    process.off("SIGHUP", onTerminate);
    if (terminal && interrupted) listen(false);
  };
}
