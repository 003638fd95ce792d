/** What a resource of a cloud's Pulumi provider takes, as data: checked, compared, and refused where the double knows nothing of it. */

export type Bag = Record<string, unknown>;

export interface InputFact {
  readonly type: "string" | "number" | "boolean" | "strings" | "tags" | "object" | "objects" | "json";
  /** Must be there. */
  readonly required?: true;
  /** Another value means another thing ("ForceNew" in the Terraform provider that Pulumi's is made of). */
  readonly replaces?: true;
  /** Filled in where nothing is said. */
  readonly default?: unknown;
  /** The cloud chooses where nothing is said, and what it chose is no difference ("Computed"). */
  readonly computed?: true;
  /** Values that are taken; any other is refused. */
  readonly oneOf?: readonly unknown[];
  /** Of `object` and `objects`. */
  readonly of?: InputFacts;
  /** What else must hold; returns the sentence why it does not. */
  readonly check?: (value: unknown) => string | undefined;
}

export type InputFacts = Readonly<Record<string, InputFact>>;

export interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}

/** What the engine sends for a value that is not known yet (pulumi/pulumi, sdk/go/common/resource/plugin/rpc.go). */
export const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export function isUnknown(value: unknown): boolean {
  return value === unknownValue;
}

/** Why the double does not take these inputs; empty when it does. */
export function inputFailures(facts: InputFacts, inputs: Bag, what: string, path = ""): CheckFailure[] {
  const failures: CheckFailure[] = [];
  for (const [name, value] of Object.entries(inputs)) {
    if (name.startsWith("__")) continue;
    const property = path === "" ? name : `${path}.${name}`;
    const fact = facts[name];
    if (fact === undefined) failures.push({ property, reason: `the double of ${what} knows no input ${property}` });
    else failures.push(...valueFailures(fact, value, what, property));
  }
  for (const [name, fact] of Object.entries(facts)) {
    if (fact.required === true && inputs[name] === undefined) {
      // In the words of Pulumi's bridge to Terraform providers.
      failures.push({
        property: path === "" ? name : `${path}.${name}`,
        reason: `Missing required argument. The argument "${name}" is required`,
      });
    }
  }
  return failures;
}

function valueFailures(fact: InputFact, value: unknown, what: string, property: string): CheckFailure[] {
  if (isUnknown(value) || value === null || value === undefined) return [];
  const wrong = (reason: string): CheckFailure[] => [{ property, reason }];
  const isBag = typeof value === "object" && !Array.isArray(value);
  switch (fact.type) {
    case "string":
    case "number":
    case "boolean": {
      if (typeof value !== fact.type) return wrong(`${property} must be a ${fact.type}, not ${JSON.stringify(value)}`);
      if (fact.oneOf !== undefined && !fact.oneOf.includes(value))
        return wrong(`expected ${property} to be one of ${JSON.stringify(fact.oneOf)}, got ${String(value)}`);
      break;
    }
    case "strings":
      if (!Array.isArray(value) || value.some((each) => typeof each !== "string")) return wrong(`${property} must be a list of strings`);
      break;
    case "tags":
      if (!isBag || Object.values(value).some((each) => typeof each !== "string")) return wrong(`${property} must be a map of strings`);
      break;
    case "object":
      return isBag ? inputFailures(fact.of ?? {}, value as Bag, what, property) : wrong(`${property} must be an object`);
    case "objects":
      if (!Array.isArray(value)) return wrong(`${property} must be a list`);
      return value.flatMap((each, at) => (isUnknown(each) ? [] : inputFailures(fact.of ?? {}, each as Bag, what, `${property}[${at}]`)));
    case "json":
      break;
  }
  const reason = fact.check?.(value);
  return reason === undefined ? [] : wrong(reason);
}

/** The inputs with what is filled in. */
export function withDefaults(facts: InputFacts, inputs: Bag): Bag {
  const filled: Bag = { ...inputs };
  for (const [name, fact] of Object.entries(facts)) {
    if (fact.default !== undefined && filled[name] === undefined) filled[name] = fact.default;
  }
  return filled;
}

export interface Difference {
  readonly path: string;
  readonly replaces: boolean;
}

/** What differs between what is there and what is wanted. `before` is the state; `said` what the program said when it was made. */
export function differences(facts: InputFacts, before: Bag, said: Bag, wanted: Bag, path = ""): Difference[] {
  return Object.entries(facts).flatMap(([name, fact]) => {
    const at = path === "" ? name : `${path}.${name}`;
    const [was, now] = [before[name], wanted[name] ?? fact.default];
    if (now === undefined || now === null) {
      // Said no longer: the cloud keeps what it has where it may choose.
      const gone = said[name] !== undefined && said[name] !== null && fact.computed !== true && !isEmpty(said[name]);
      return gone ? [{ path: at, replaces: fact.replaces === true }] : [];
    }
    if (fact.type === "object" && fact.replaces !== true && isBagValue(now) && isBagValue(was)) {
      return differences(fact.of ?? {}, was, isBagValue(said[name]) ? said[name] : {}, now, at);
    }
    return same(fact, was, now) ? [] : [{ path: at, replaces: fact.replaces === true }];
  });
}

/** What was said, with what is there now in its place: no more is compared than was said. */
export function saidAgain(facts: InputFacts, said: Bag, found: Bag): Bag {
  return Object.fromEntries(
    Object.entries(said).map(([name, value]) => {
      const [fact, now] = [facts[name], found[name]];
      if (fact === undefined || now === undefined) return [name, value];
      if (fact.type === "object" && isBagValue(value) && isBagValue(now)) return [name, saidAgain(fact.of ?? {}, value, now)];
      return [name, same(fact, now, value) ? value : now];
    }),
  );
}

function same(fact: InputFact, was: unknown, now: unknown): boolean {
  if (hasUnknown(now)) return false;
  if (isEmpty(was) && isEmpty(now)) return true;
  if (fact.type === "strings") return canonical(toSorted(was)) === canonical(toSorted(now));
  if (fact.type === "objects") return sameSet(fact.of ?? {}, was, now);
  if (fact.type === "object" && isBagValue(was) && isBagValue(now)) return differences(fact.of ?? {}, was, {}, now).length === 0;
  return canonical(was) === canonical(now);
}

/** Blocks that stand in any order. */
function sameSet(facts: InputFacts, was: unknown, now: unknown): boolean {
  if (!Array.isArray(was) || !Array.isArray(now) || was.length !== now.length) return false;
  const left = [...(was as Bag[])];
  return (now as Bag[]).every((wanted) => {
    const at = left.findIndex((each) => differences(facts, each, {}, wanted).length === 0);
    if (at === -1) return false;
    left.splice(at, 1);
    return true;
  });
}

function toSorted(value: unknown): unknown {
  return Array.isArray(value) ? (value as string[]).toSorted() : value;
}

function isBagValue(value: unknown): value is Bag {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

export function hasUnknown(value: unknown): boolean {
  if (isUnknown(value)) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(hasUnknown);
}

function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, inner: unknown) =>
      isBagValue(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
    ) ?? ""
  );
}
