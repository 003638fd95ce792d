/**
 * The traps of Pulumi's provider SDK, handled once. Values arrive with secrets and unknowns as marked raw objects, outputs
 * are stored in plain text unless they are marked, errors would print stack traces, and a plugin whose engine was killed
 * lives on. Resources see plain, parsed values and nothing of this.
 */
import type { Provider } from "@pulumi/pulumi/provider/index.js";
import type { z } from "zod";
import { describeError } from "../../agent/contract/errors.ts";
import type { StatusLine } from "./status-line.ts";

/** How the engine marks a secret in a property bag, and what stands for a value not known yet (pulumi/pulumi sdk/proto). */
const signatureKey = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export interface ResourceContext {
  /** Live status on the resource's own row of `pulumi up`; gone when the step ends. */
  readonly status: (text: string) => void;
  /** A line that stays and reaches the person. */
  readonly log: (text: string) => void;
  /** The sentence of a change, for the log of changes. */
  readonly sentence: (text: string) => void;
  /** Aborted when the operator cancels. */
  readonly signal: AbortSignal;
}

/**
 * One resource's provider side. `Inputs` is what the program says, `Outputs` what we found out; the state holds both.
 * A thrown error keeps the old state, so whatever was done must be found and finished by the next run.
 */
export interface ResourceHandler<Inputs extends object, Outputs extends object> {
  readonly inputs: z.ZodObject & z.ZodType<Inputs>;
  readonly outputs: z.ZodType<Outputs>;
  /** Names of inputs and outputs that are encrypted in the state. */
  readonly secrets: readonly string[];
  /** Inputs whose change means another thing, to be deleted before the new one is made. */
  readonly replaceOn?: readonly (keyof Inputs & string)[];
  /** Inputs whose change is no difference by itself. */
  readonly ignored?: readonly (keyof Inputs & string)[];
  /** Inputs that the plugin itself adds, such as the digest of the bundle at hand. */
  readonly complete?: (inputs: Record<string, unknown>) => Promise<Record<string, unknown>>;
  /** Whether what is there, as last read, needs mending though no input changed. */
  readonly needsMending?: (outputs: Outputs) => boolean;
  /** Whether something is to be done for these inputs though none differs; what it is may be told. */
  readonly isDue?: (state: Outputs, inputs: Inputs, tell: (text: string) => void) => boolean;
  create(inputs: Inputs, context: ResourceContext): Promise<{ id: string; outputs: Outputs }>;
  /** What is there now; undefined when it is gone for good. */
  read(id: string, state: Inputs & Outputs, context: ResourceContext): Promise<Outputs | undefined>;
  update(id: string, old: Inputs & Outputs, inputs: Inputs, context: ResourceContext): Promise<Outputs>;
  delete(id: string, state: Inputs & Outputs, context: ResourceContext): Promise<void>;
}

/** Thrown by `create` and `update` when only a part was done: the new inputs and these outputs are recorded, and the step has failed. */
export class PartlyDone extends Error {
  readonly id: string;
  readonly outputs: object;

  constructor(cause: unknown, { id, outputs }: { readonly id: string; readonly outputs: object }) {
    super(describeError(cause), { cause });
    this.id = id;
    this.outputs = outputs;
  }
}

/** The same in the SDK's words: it looks for these three on whatever is thrown. */
class FailedAndRecorded extends Error {
  readonly recorded: { readonly id: string; readonly properties: object; readonly reasons: readonly string[] };

  constructor(message: string, recorded: FailedAndRecorded["recorded"]) {
    super(message);
    this.recorded = recorded;
  }
}

// Each handler has its own input and output types; the table can only know that they fit each other.
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyHandler = ResourceHandler<any, any>;

export interface ProviderOptions {
  readonly version: string;
  /** By type token, e.g. `spillway:index:Node`. */
  readonly handlers: Readonly<Record<string, AnyHandler>>;
  readonly statusLine: StatusLine;
  /** Keeps the sentence of each change. */
  readonly changeLog: (text: string) => void;
}

/** The provider that the SDK's `main` serves. */
export function providerOf({ version, handlers, statusLine, changeLog }: ProviderOptions): Provider {
  const cancelled = new AbortController();
  const contextOf = (urn: string): ResourceContext => ({
    status: (text) => statusLine.tell(urn, text, true),
    log: (text) => statusLine.tell(urn, text, false),
    sentence: changeLog,
    signal: cancelled.signal,
  });
  const handlerOf = (urn: string): AnyHandler => {
    const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
    const handler = handlers[type];
    if (handler === undefined) throw new Error(`the plugin "spillway" has no resource ${type}`);
    return handler;
  };
  const stateOf = (handler: AnyHandler, properties: unknown) => {
    const plain = withoutMarks(properties) as Record<string, unknown>;
    return { ...(handler.inputs.parse(plain) as object), ...(handler.outputs.parse(plain) as object) };
  };
  const stored = (handler: AnyHandler, inputs: object, outputs: object) => withSecretMarks({ ...inputs, ...outputs }, handler.secrets);
  /** What the SDK takes for a step that failed and is recorded all the same. */
  const partly = async <T>(handler: AnyHandler, inputs: object, act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof PartlyDone)) throw error;
      const { id, message } = error;
      throw new FailedAndRecorded(message, { id, properties: stored(handler, inputs, error.outputs), reasons: [message] });
    }
  };

  return {
    version,
    async cancel() {
      cancelled.abort();
    },
    async check(urn, _olds, news) {
      const handler = handlerOf(urn);
      const inputs = { ...news, ...(await handler.complete?.(news)) };
      if (hasUnknowns(inputs)) return { inputs };
      const parsed = handler.inputs.safeParse(withoutMarks(inputs));
      if (parsed.success) return { inputs };
      return { inputs, failures: parsed.error.issues.map((issue) => ({ property: issue.path.join("."), reason: issue.message })) };
    },
    async diff(_id, urn, olds, news) {
      const handler = handlerOf(urn);
      // Parsed as the state was, so that a default filled in is no difference.
      const plain = withoutMarks(news);
      const wanted = hasUnknowns(plain) ? plain : handler.inputs.parse(plain);
      const compared = Object.keys(handler.inputs.shape).filter((key) => handler.ignored?.includes(key) !== true);
      const changed = changedKeys(compared, withoutMarks(olds), wanted);
      const replaces = changed.filter((key) => handler.replaceOn?.includes(key) === true);
      const state = handler.outputs.parse(withoutMarks(olds)) as object;
      const mend = handler.needsMending?.(state) === true;
      const due = !hasUnknowns(plain) && handler.isDue?.(state, wanted, contextOf(urn).log) === true;
      return { changes: changed.length > 0 || mend || due, replaces, deleteBeforeReplace: true };
    },
    create: (urn, news) =>
      plainErrors(async () => {
        const handler = handlerOf(urn);
        const inputs = handler.inputs.parse(withoutMarks(news)) as object;
        const { id, outputs } = await partly(handler, inputs, () => handler.create(inputs, contextOf(urn)));
        return { id, outs: stored(handler, inputs, outputs) };
      }),
    read: (id, urn, properties) =>
      plainErrors(async () => {
        const handler = handlerOf(urn);
        const state = stateOf(handler, properties);
        const outputs = await handler.read(id, state, contextOf(urn));
        if (outputs === undefined) return { id: "", props: {} };
        return { id, props: stored(handler, handler.inputs.parse(state), outputs) };
      }),
    update: (id, urn, olds, news) =>
      plainErrors(async () => {
        const handler = handlerOf(urn);
        const inputs = handler.inputs.parse(withoutMarks(news)) as object;
        const outputs = await partly(handler, inputs, () => handler.update(id, stateOf(handler, olds), inputs, contextOf(urn)));
        return { outs: stored(handler, inputs, outputs) };
      }),
    delete: (id, urn, properties) =>
      plainErrors(async () => {
        const handler = handlerOf(urn);
        await handler.delete(id, stateOf(handler, properties), contextOf(urn));
      }),
  };
}

/** What a person should read, without the trace that the SDK would print. */
async function plainErrors<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const plain = new Error(describeError(error));
    plain.stack = "";
    // What is to be recorded although it failed.
    if (error instanceof FailedAndRecorded) Object.assign(plain, error.recorded);
    throw plain;
  }
}

/** Those of `keys` whose value in `news` differs from the one in `olds`; an unknown value counts as a change. */
export function changedKeys(keys: readonly string[], olds: unknown, news: unknown): string[] {
  const before = asRecord(olds);
  const after = asRecord(news);
  return keys.filter((key) => hasUnknowns(after[key]) || canonical(before[key]) !== canonical(after[key]));
}

/** The value without the engine's marks around secrets, at any depth. */
export function withoutMarks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMarks);
  if (typeof value !== "object" || value === null) return value;
  const record = value as Record<string, unknown>;
  if (record[signatureKey] === secretSignature) return withoutMarks(record.value);
  return Object.fromEntries(Object.entries(record).map(([key, inner]) => [key, withoutMarks(inner)]));
}

/** The bag with each of the named properties marked, so that the engine encrypts it in the state. */
export function withSecretMarks(bag: object, secrets: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(bag)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, secrets.includes(key) ? { [signatureKey]: secretSignature, value } : value]),
  );
}

function hasUnknowns(value: unknown): boolean {
  if (value === unknownValue) return true;
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(hasUnknowns);
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** JSON with sorted keys, and without keys that hold nothing: the engine drops those on the way. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, inner: unknown) => {
      if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
      return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? ""
  );
}
