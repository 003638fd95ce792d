/** A role's bundle: what is in its slots on the machine, what is at hand for it, and the Node that it links to. */
import { bundlePlatformOf, compressionOf } from "./bundle-platform-of.ts";
import { pointLink } from "./commands/files.ts";
import { readSlots } from "./commands/slots.ts";
import { type BootstrapContext, type BundleFile, filledIn } from "./context.ts";
import { type Slots, slotsIn } from "./slots.ts";

export async function slotsOnMachine(context: BootstrapContext): Promise<Slots> {
  const command = readSlots(filledIn(context.layout, "layout"), context.request.role);
  return slotsIn((await filledIn(context.remote, "remote").read(command)).stdout);
}

export function bundleAtHand({ request, facts }: BootstrapContext): Promise<BundleFile> {
  const known = filledIn(facts, "facts");
  return request.bundle(bundlePlatformOf(request.machine, known.arch), compressionOf(known));
}

/** For a machine whose own Node is linked to. `linked`: what the bundle links to now. */
export async function linkNode(context: BootstrapContext, digest: string, linked: string | undefined): Promise<void> {
  const { nodeBinary } = context.request.machine;
  if (nodeBinary === undefined || nodeBinary === linked) return;
  const link = pointLink(`${filledIn(context.layout, "layout").bundle(digest)}/bin/node`, nodeBinary);
  await filledIn(context.remote, "remote").change("remote.install", `link Node ${nodeBinary}`, link);
  context.restartNeeded = true;
}
