/** How a move of a row is told: a sentence with its reason, and the facts behind it. What changes nothing for anybody is not told. */
import type { PoolEvent } from "../../contract/api.ts";
import type { BurstEvent, BurstRow } from "../../contract/ledger.ts";
import { formatDuration, formatUsd } from "../../contract/quantities.ts";

type Telling = Pick<PoolEvent, "kind" | "subject" | "message"> & { readonly data: PoolEvent["data"] };

/** Undefined for moves that are many and say little: measured times, extensions. */
export function tellingOf(before: BurstRow, row: BurstRow, event: BurstEvent): Telling | undefined {
  const told = sentenceOf(before, row, event);
  if (told === undefined) return undefined;
  return { kind: told[0], subject: `burst/${row.id}`, message: `Burst ${row.id} ${told[1]}`, data: factsOf(row) };
}

/** What every telling of a burst carries. */
export function factsOf(row: BurstRow): PoolEvent["data"] {
  return {
    state: row.state,
    offer: row.offer,
    nodes: row.nodes,
    hourly: row.hourly,
    for: row.for,
    reason: row.why,
    seconds: row.seconds,
    ...(row.drain === undefined ? {} : { drain: row.drain }),
  };
}

function sentenceOf(before: BurstRow, row: BurstRow, event: BurstEvent): readonly [kind: string, text: string] | undefined {
  switch (event.type) {
    case "launch":
      return ["burst-launching", `is being launched: ${row.reason}, ${formatUsd(row.hourly)}/h`];
    case "launched":
      return ["burst-live", `is live ${sinceText(row, "launching", "live")}after its launch began`];
    case "withdraw":
      return ["burst-withdrawn", `is withdrawn, nothing was bought: ${event.reason}`];
    case "fail":
      return ["burst-failed", `has failed and is being destroyed: ${event.reason}`];
    case "join":
      return ["burst-joined", `has its node ${event.node} in the pool (${Object.keys(row.joined).length} of ${row.nodes.length})`];
    case "use":
      return ["burst-used", `got its first task ${sinceText(row, "intent")}after it was decided`];
    case "drain":
      return before.drain !== undefined && before.why === row.why && before.drain.deadline === row.drain?.deadline
        ? undefined
        : ["burst-draining", `is drained: ${row.why}`];
    case "uncordon":
      return ["burst-uncordoned", `takes tasks again: ${event.reason}`];
    case "retire":
      return ["burst-retiring", `is being destroyed: ${event.reason}`];
    case "gone":
      return [
        "burst-gone",
        `is gone ${sinceText(row, "launching", "gone")}after its launch began: the provider says that nothing of it is left`,
      ];
    case "leak":
      return ["burst-leaked", `could not be destroyed and costs ${formatUsd(row.hourly)}/h: ${event.reason}`];
    case "time":
    case "extend":
      break;
  }
  return undefined;
}

/** `3.2 s `, or nothing when it is not known. */
function sinceText({ at, usedAt }: BurstRow, from: keyof BurstRow["at"], to?: keyof BurstRow["at"]): string {
  const begun = at[from];
  const ended = to === undefined ? usedAt : at[to];
  return begun === undefined || ended === undefined ? "" : `${formatDuration(ended - begun)} `;
}
