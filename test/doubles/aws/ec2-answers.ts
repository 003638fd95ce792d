/**
 * EC2's answers as text: read and changed where moto's word and the lab's differ. Form and error codes: EC2 API reference,
 * "Query API" and "Error codes" (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html).
 */

/** What is shown of an instance in place of moto's own word. */
export interface ShownInstance {
  readonly state?: InstanceStateName | undefined;
  /** Not seen yet: it was just made (API reference, "Eventual consistency"). */
  readonly isHidden?: boolean;
  /** Address that moto gave → address that can be dialled. */
  readonly addresses: ReadonlyMap<string, string>;
}

/** API reference, data type InstanceState. */
export const stateCodes = { pending: 0, running: 16, "shutting-down": 32, terminated: 48, stopping: 64, stopped: 80 } as const;
export type InstanceStateName = keyof typeof stateCodes;

/** A failed call. `RequestLimitExceeded` and `InsufficientInstanceCapacity` are server errors: 503 and 500. */
export function errorAnswer(code: string, message: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>${requestId}</RequestID></Response>`;
}

/** The double's answers are not counted: nobody is asked about them. */
const requestId = "00000000-0000-4000-8000-000000000000";

/** TerminateInstances' answer for instances that were running, as if they were ended. */
export function terminatedAnswer(ids: readonly string[]): string {
  const items = ids.map(
    (id) =>
      `<item><instanceId>${id}</instanceId>${stateElement("currentState", "shutting-down")}${stateElement("previousState", "running")}</item>`,
  );
  return answer("TerminateInstances", `<instancesSet>${items.join("")}</instancesSet>`);
}

export function answer(action: string, body: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>${requestId}</requestId>${body}</${action}Response>`;
}

function stateElement(name: string, state: InstanceStateName): string {
  return `<${name}><code>${stateCodes[state]}</code><name>${state}</name></${name}>`;
}

/** Sets whose items are about one instance each. */
const setsAboutInstances = ["instancesSet", "networkInterfaceSet", "addressesSet"];

/**
 * The answer with each known instance's state and addresses as they are in the lab. With `onlyStates`, instances in other
 * states are left out: moto's own filter has seen its own states only.
 */
export function rewriteInstances(
  xml: string,
  shownOf: (instanceId: string) => ShownInstance | undefined,
  onlyStates?: readonly string[],
): string {
  let rewritten = xml;
  for (const set of setsAboutInstances) {
    rewritten = mapItems(rewritten, set, (item) => {
      const shown = shownOf(instanceIdOf(item) ?? "");
      if (shown?.isHidden === true) return "";
      const known = shown === undefined ? item : withAddresses(withState(item, shown.state), shown.addresses);
      const changed = withGroups(known);
      const state = /<instanceState><code>\d+<\/code><name>([a-z-]+)</.exec(changed)?.[1];
      return onlyStates !== undefined && state !== undefined && !onlyStates.includes(state) ? "" : changed;
    });
  }
  return rewritten;
}

/** Replaces addresses wherever one is the whole text of an element. */
export function withAddresses(xml: string, addresses: ReadonlyMap<string, string>): string {
  return xml.replaceAll(/>(\d+\.\d+\.\d+\.\d+)</g, (whole, address: string) => {
    const other = addresses.get(address);
    return other === undefined ? whole : `>${other}<`;
  });
}

/** Public addresses that an answer names. */
export function publicAddresses(xml: string): string[] {
  return [...new Set([...xml.matchAll(/<(?:publicIp|ipAddress)>([\d.]+)</g)].map(([, address = ""]) => address))];
}

/** Ids in a RunInstances answer. */
export function instanceIds(xml: string): string[] {
  return [...new Set([...xml.matchAll(/<instanceId>(i-[0-9a-f]+)</g)].map(([, id = ""]) => id))];
}

function withState(item: string, state: InstanceStateName | undefined): string {
  if (state === undefined) return item;
  const change = /<(instanceState|currentState)><code>\d+<\/code><name>[a-z-]+<\/name><\/\1>/g;
  return item.replaceAll(change, (_whole, name: string) => stateElement(name, state));
}

/** Moto forgets on the instance what its interface was given; the cloud shows the primary interface's groups (data type Instance, `groupSet`). */
function withGroups(item: string): string {
  const [, groups] = /<networkInterfaceSet>.*?(<groupSet><item>.*?<\/groupSet>)/s.exec(item) ?? [];
  return groups === undefined ? item : item.replace("<groupSet/>", () => groups);
}

function instanceIdOf(item: string): string | undefined {
  return /<instanceId>(i-[0-9a-f]+)</.exec(item)?.[1];
}

/** Every item of every set of that name, changed; items within items belong to theirs. */
function mapItems(xml: string, set: string, change: (item: string) => string): string {
  const open = `<${set}>`;
  let result = "";
  let rest = xml;
  for (let at = rest.indexOf(open); at !== -1; at = rest.indexOf(open)) {
    result += rest.slice(0, at + open.length);
    rest = rest.slice(at + open.length);
    // An item's whole text, by counting what opens and closes within it.
    while (rest.startsWith("<item>")) {
      const end = endOfItem(rest);
      result += change(rest.slice(0, end));
      rest = rest.slice(end);
    }
  }
  return result + rest;
}

function endOfItem(text: string): number {
  let depth = 0;
  for (const match of text.matchAll(/<(\/?)item>/g)) {
    depth += match[1] === "" ? 1 : -1;
    if (depth === 0) return match.index + match[0].length;
  }
  throw new Error("an item of EC2's answer does not end");
}
