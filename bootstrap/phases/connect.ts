/** Opens the SSH connection, waiting for a host that may come up in a moment; the host key is checked before anything is sent. */
import { whereOf } from "../../agent/contract/machine.ts";
import { type Phase, patienceOf } from "../context.ts";
import { remoteOver } from "../remote.ts";
import { takeSession } from "../ssh/kept-sessions.ts";

export const connect: Phase = {
  title: "connect",
  async run(context) {
    const { machine, dryRun, onProgress, onSentence, signal } = context.request;
    context.session = await takeSession(machine, { forMs: patienceOf(context.request), signal, onWait: onProgress });
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
