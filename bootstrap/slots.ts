/** A role's two slots as a machine tells them, and which bundle an installed role keeps; pure. */
import { z } from "zod";
import type { Machine } from "../agent/contract/machine.ts";
import { parseFacts } from "./commands/facts.ts";

/** What a role that tries a new bundle has to prove; on the machine while it does, so that it can be judged after a crash. */
export const trialNote = z.object({
  from: z.string().optional().describe("digest of the bundle it ran before"),
  tasks: z.array(z.string()).describe("attempts that ran on its node and must be taken over"),
});
export type TrialNote = z.infer<typeof trialNote>;

export interface Slots {
  /** Digest of the bundle that the role is started from. */
  readonly current?: string;
  /** Digest of the one it can go back to; undefined also when that is the same. */
  readonly before?: string;
  /** Whether the current one can be started. */
  readonly whole: boolean;
  /** What its Node links to; undefined when it brings its own. */
  readonly node?: string;
  readonly trial?: TrialNote;
}

export function slotsIn(text: string): Slots {
  // The note of a trial may be longer than a fact.
  const note = /^trial=(.*)$/m.exec(text)?.[1];
  const found = parseFacts(text.replace(/^trial=.*$/m, ""));
  const one = (key: string) => found.get(key)?.[0];
  const [current, before, node, trial] = [one("current"), one("before"), one("node"), note === undefined ? undefined : trialIn(note)];
  return {
    whole: found.has("whole"),
    ...(current === undefined ? {} : { current }),
    ...(before === undefined || before === current ? {} : { before }),
    ...(node === undefined ? {} : { node }),
    ...(trial === undefined ? {} : { trial }),
  };
}

function trialIn(text: string): TrialNote | undefined {
  try {
    return trialNote.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The digest that an installed role keeps; undefined for one that is new, broken, or for another way to Node than it has. */
export function keptBundle({ current, whole, node }: Slots, { nodeBinary }: Pick<Machine, "nodeBinary">): string | undefined {
  return whole && (node === undefined) === (nodeBinary === undefined) ? current : undefined;
}
