/** What the master on a machine knows of the others, read off its records there. Nothing is changed on it. */
import type { InstallLayout } from "../../agent/contract/install-layout.ts";
import { type PinLine, pinLine } from "../../agent/contract/pins.ts";
import { type BootstrapContext, filledIn, nothingToInstall } from "../context.ts";
import { connect } from "../phases/connect.ts";
import { facts } from "../phases/facts.ts";
import { runPhases } from "../run-phases.ts";
import type { IdentityRequest } from "./identity.ts";

/**
 * Undefined where no master is, or one of a version before 0.4, which can't tell. A line that can't be understood is left out.
 * Throws what `connectSession` throws, and `no-posix-shell`.
 */
export async function readMastersPins({ machine, signal }: IdentityRequest): Promise<PinLine[] | undefined> {
  let found: PinLine[] | undefined;
  const read = {
    title: "pins",
    run: async (context: BootstrapContext) => {
      const answer = await filledIn(context.remote, "remote").read(readPins(filledIn(context.layout, "layout")));
      if (answer.code === 0) found = parsePins(answer.stdout);
    },
  };
  await runPhases([connect, facts, read], {
    machine,
    role: "master",
    ...nothingToInstall,
    ...(signal === undefined ? {} : { signal }),
  });
  return found;
}

/** The master's own program reads its records; it needs not run for that. */
function readPins(layout: InstallLayout): string[] {
  const current = layout.current("master");
  return [`${current}/bin/node`, `${current}/agent.js`, "pins", "--config", layout.config("master")];
}

/** JSON lines, from a machine that is not believed to send nothing else. */
export function parsePins(text: string): PinLine[] {
  return text.split("\n").flatMap((line): PinLine[] => {
    try {
      return [pinLine.parse(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}
