/** Opens the SSH connection; the host key is checked before anything is sent. */

import { whereOf } from "../../agent/contract/machine.ts";
import type { Phase } from "../context.ts";
import { remoteOver } from "../remote.ts";
import { connectSession } from "../ssh/session.ts";

export const connect: Phase = {
  title: "connect",
  async run(context) {
    const { machine, dryRun, onProgress, onSentence } = context.request;
    context.session = await connectSession(machine);
    context.remote = remoteOver(context.session, {
      where: whereOf(machine),
      dryRun: dryRun ?? false,
      onSentence: (sentence) => {
        onProgress?.(sentence);
        onSentence?.(`${machine.name}: ${sentence}`);
      },
    });
  },
};
