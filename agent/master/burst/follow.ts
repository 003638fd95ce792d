/** The event in the ledger that a decision of a plan stands for. */
import type { BurstEvent } from "../../contract/ledger.ts";
import type { RetireDecision } from "../../contract/plan.ts";

/** `now` is ms since the epoch. */
export function eventOf({ action, cause, deadline, reason }: RetireDecision, now: number): BurstEvent {
  switch (action) {
    case "withdraw":
      return { type: "withdraw", reason };
    case "drain":
      return { type: "drain", cause: cause ?? "operator", deadline: deadline ?? now, reason };
    case "uncordon":
      return { type: "uncordon", reason };
    case "delete":
      return { type: "retire", cause: "plan", reason };
    case "give-up":
      break;
  }
  return { type: "fail", reason };
}
