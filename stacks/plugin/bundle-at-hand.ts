/** The bundle that belongs to this checkout, built once per process and platform, and its digest before it is built. */
import { buildBundle } from "../../agent/bundle/build.ts";
import { machine } from "../../agent/contract/machine.ts";
import type { BundleFile } from "../../bootstrap/context.ts";

const built = new Map<string, Promise<BundleFile>>();

export function bundleAtHand(platform: "linux-x64" | "host"): Promise<BundleFile> {
  const known = built.get(platform);
  if (known !== undefined) return known;
  const making = buildBundle({ platform });
  built.set(platform, making);
  return making;
}

/**
 * The input `bundle` of the resources that run it: new code on the operator's side means a new digest, and that is a
 * difference like any other.
 */
export async function completeWithBundle(news: Record<string, unknown>): Promise<{ bundle: string }> {
  const known = machine.safeParse(news.machine);
  const uploads = known.success && known.data.nodeBinary === undefined;
  return { bundle: (await bundleAtHand(uploads ? "linux-x64" : "host")).digest };
}
