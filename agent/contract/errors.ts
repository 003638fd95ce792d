/** The error every station throws for a fault of the world: what failed, where, why, and what to do next. */

export interface SpillwayErrorDetails {
  /** Stable, machine-readable, kebab-case: `host-key-mismatch`, `port-in-use`. */
  readonly code: string;
  /** Which machine, node, job or setting it is about. */
  readonly where?: string;
  /** The next step for the person who reads it: a sentence or a command. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * A fault of the world (not a bug): told to a person as one clear text.
 * `message` says what failed and why; `where` and `hint` are added by `describeError`.
 */
export class SpillwayError extends Error {
  readonly code: string;
  readonly where: string | undefined;
  readonly hint: string | undefined;

  constructor(message: string, details: SpillwayErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "SpillwayError";
    this.code = details.code;
    this.where = details.where;
    this.hint = details.hint;
  }
}

/** What was asked for; undefined where the master knows no such thing (`not-found`). Throws any other error. */
export async function ifFound<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof SpillwayError && error.code === "not-found") return undefined;
    throw error;
  }
}

/** A person or an engine has called it off in the middle. */
export function cancelled(where?: string): SpillwayError {
  return new SpillwayError("cancelled before it was complete", {
    code: "cancelled",
    hint: "The next run goes on from here.",
    ...(where === undefined ? {} : { where }),
  });
}

/**
 * Any thrown value as text for a person: `where: message`, then the hint on a line of its own.
 * Never holds a stack trace; an unexpected error keeps its message only.
 */
export function describeError(error: unknown): string {
  if (error instanceof SpillwayError) {
    const head = error.where === undefined ? error.message : `${error.where}: ${error.message}`;
    return error.hint === undefined ? head : `${head}\n  ${error.hint}`;
  }
  return error instanceof Error ? error.message : String(error);
}
