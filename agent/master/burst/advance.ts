/** Moves a row of the ledger: the only way in which one changes. */
import { SpillwayError } from "../../contract/errors.ts";
import { type BurstEvent, type BurstRow, type BurstState, burstMoves } from "../../contract/ledger.ts";

/**
 * The row after an event at `now` (ms since the epoch); the row given is left as it is. Times in a row never run
 * backwards. Throws a SpillwayError `ledger-refused` when the row may not make that move.
 */
export function advance(row: BurstRow, event: BurstEvent, now: number): BurstRow {
  const state = burstMoves[row.state][event.type];
  if (state === undefined) throw refused(row, `a burst in the state ${row.state} can't ${words[event.type]}`);
  const at = Math.max(now, ...Object.values(row.at));
  const changed = apply(row, event, at);
  if (state === row.state) return changed;
  const entered = state === "live" && row.at.live !== undefined ? row.at.live : at;
  return { ...changed, state, at: { ...row.at, [state]: entered } };
}

function apply(row: BurstRow, event: BurstEvent, at: number): BurstRow {
  switch (event.type) {
    case "launch":
      return { ...row, why: "its machines are being made" };
    case "launched":
      return { ...row, why: "its machines are there" };
    case "fail":
      return { ...row, failure: event.reason, why: event.reason, ...(event.problem === undefined ? {} : { problem: event.problem }) };
    case "time":
      return { ...row, seconds: { ...row.seconds, [event.phase]: { ...row.seconds[event.phase], actual: event.seconds } } };
    case "join":
      if (!row.nodes.includes(event.node)) throw refused(row, `it has no node ${event.node}`);
      return event.node in row.joined ? row : { ...row, joined: { ...row.joined, [event.node]: at } };
    case "use":
      return row.usedAt === undefined ? { ...row, usedAt: at } : row;
    case "extend":
      return { ...row, expiresAt: Math.max(row.expiresAt, event.expiresAt) };
    case "drain":
      return drained(row, event);
    case "uncordon": {
      const { drain: _, ...rest } = row;
      return { ...rest, why: event.reason };
    }
    case "gone":
      return { ...row, why: row.state === "leaked" ? "it is gone after all" : row.why };
    case "retire":
      return { ...row, why: event.reason, ...(event.cause === undefined ? {} : { retired: event.cause }) };
    case "withdraw":
    case "leak":
      break;
  }
  return { ...row, why: event.reason };
}

/** A drain that is under way only becomes stricter: its deadline comes nearer, and the operator's word takes over. */
function drained(row: BurstRow, event: Extract<BurstEvent, { type: "drain" }>): BurstRow {
  if (row.drain === undefined) return { ...row, drain: { cause: event.cause, deadline: event.deadline }, why: event.reason };
  const cause = row.drain.cause === "operator" ? "operator" : event.cause;
  const why = cause === event.cause ? event.reason : row.why;
  return { ...row, drain: { cause, deadline: Math.min(row.drain.deadline, event.deadline) }, why };
}

/** As in: a burst in the state gone can't … */
const words: Record<BurstEvent["type"], string> = {
  launch: "be launched",
  withdraw: "be withdrawn",
  launched: "have been launched",
  fail: "fail to launch",
  time: "take launch times",
  join: "have a node join",
  use: "get a task",
  extend: "be extended",
  drain: "be drained",
  uncordon: "be uncordoned",
  retire: "be retired",
  gone: "be declared gone",
  leak: "be declared leaked",
};

const hints: Record<BurstState, string> = {
  intent: "Nothing has been bought for it yet.",
  launching: "Wait until it is live, or stop it: spillway burst stop",
  live: "Drain it first: spillway burst stop",
  draining: "It takes tasks again after: spillway nodes uncordon",
  retiring: "Its machines are being destroyed; that can't be undone.",
  gone: "It is over; nothing of it is left.",
  leaked: "It could not be destroyed and still costs: spillway fsck --fix",
};

/** Says what the row is instead, and what to do. */
export function refused(row: BurstRow, message: string): SpillwayError {
  return new SpillwayError(message, { code: "ledger-refused", where: `burst/${row.id}`, hint: hints[row.state] });
}
