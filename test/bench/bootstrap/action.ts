/** One contender: the install action on every host of the plan, side by side. `node action.ts PLAN` */
import { readFileSync } from "node:fs";
import type { Machine } from "../../../agent/contract/machine.ts";
import { installRole } from "../../../bootstrap/actions/install.ts";
import type { EndState } from "./end-state.ts";

const { machines, state } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as { machines: Machine[]; state: EndState };
const outcomes = await Promise.allSettled(
  machines.map((machine) =>
    installRole({
      machine,
      role: "master",
      bundle: async () => state.bundle,
      files: () => state.files,
      // The others do not wait for the service to answer either; the checker looks after all alike.
      awaitReady: async () => undefined,
    }),
  ),
);
for (const outcome of outcomes) {
  if (outcome.status === "rejected") {
    console.error(outcome.reason);
    process.exitCode = 1;
  }
}
