/** What ends a machine on which nobody has installed an agent, as its agent's own timer would if it had one. */
import { unitOf } from "../../agent/contract/install-layout.ts";
import { commandLine } from "./shell.ts";

/** A script for `sh`, run by root; `end` is the provider's command. An agent that runs, or is about to, counts the silence itself. */
export function endUnlessClaimed(end: readonly string[]): string {
  return `# Twice, since an agent that is exchanged is down for a moment.
for look in 1 2; do
  [ "$(systemctl is-active ${unitOf("agent")})" = inactive ] || exit 0
  sleep 10
done
echo "Spillway: nobody has made a node of this machine, which was bought for a while. It ends itself." >&2
exec ${commandLine(end)}
`;
}
