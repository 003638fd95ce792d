/**
 * Operations that take long, as "Track asynchronous Azure operations" describes them: an answer names where to look
 * (`Azure-AsyncOperation`, or `Location` for a group), and each look tells how it stands.
 */
import { type ArmAnswer, ArmRefusal, type Held } from "./resources.ts";

export interface LongOperation {
  readonly of: Held;
  readonly header: "location" | "azure-asyncoperation";
  /** How often it is looked at before it is done: time passes by being asked. */
  readonly looks: number;
  /** At the last look. */
  readonly finish?: () => void;
  /** What goes on meanwhile, looked at or not; it is not done before that is. */
  readonly work?: Promise<void>;
}

export interface Operations {
  /** Returns where it is looked at. */
  begin(operation: LongOperation): Record<string, string>;
  /** Undefined for a path of something else. */
  answer(path: string): ArmAnswer | undefined;
}

interface Running {
  looksLeft: number;
  working: boolean;
  failure: ArmRefusal | undefined;
  readonly finish: (() => void) | undefined;
}

async function watch(one: Running, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    one.failure = error instanceof ArmRefusal ? error : new ArmRefusal(500, "InternalExecutionError", String(error));
  }
  one.working = false;
}

export function longOperations(base: () => string): Operations {
  const running = new Map<string, Running>();
  let last = 0;

  /** One look nearer to its end; true when it is there. */
  const look = (path: string): Running & { isDone: boolean } => {
    const found = running.get(path.split("/").at(-1) ?? "");
    if (found === undefined) throw new ArmRefusal(404, "NotFound", "There is no such operation.");
    found.looksLeft -= 1;
    if (found.looksLeft === 0) found.finish?.();
    return { ...found, isDone: found.looksLeft <= 0 && !found.working };
  };

  return {
    begin({ of: { id, location }, header, looks, finish, work }) {
      const number = String(++last);
      const one: Running = { looksLeft: looks, working: work !== undefined, failure: undefined, finish };
      running.set(number, one);
      if (work !== undefined) void watch(one, work);
      const [, subscription, namespace] = /^(\/subscriptions\/[^/]+)(?:.*\/providers\/([^/]+))?/i.exec(id) ?? [];
      const place =
        header === "location"
          ? `${subscription}/operationresults/${number}?api-version=2025-04-01`
          : `${subscription}/providers/${namespace}/locations/${location}/operations/${number}?api-version=2024-11-01`;
      return { [header]: `${base()}${place}` };
    },
    answer(path) {
      if (/\/operations\/\d+$/.test(path)) {
        const { isDone, failure } = look(path);
        if (!isDone) return { status: 200, body: { status: "InProgress" } };
        if (failure === undefined) return { status: 200, body: { status: "Succeeded" } };
        return { status: 200, body: { status: "Failed", error: { code: failure.code, message: failure.message } } };
      }
      if (!/\/operationresults\/\d+$/.test(path)) return undefined;
      const { isDone, failure } = look(path);
      if (isDone && failure !== undefined) throw failure;
      return isDone ? { status: 200 } : { status: 202, headers: { location: `${base()}${path}?api-version=2025-04-01` } };
    },
  };
}
