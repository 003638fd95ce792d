/** The bundle that belongs to this checkout, built once per process and platform, and its digest before it is built. */
import { buildBundle } from "../../agent/bundle/build.ts";
import type { BundlePlatform } from "../../agent/contract/bundle-platform.ts";
import { machine } from "../../agent/contract/machine.ts";
import { bundlePlatformOf } from "../../bootstrap/bundle-platform-of.ts";
import type { BundleFile } from "../../bootstrap/context.ts";

const built = new Map<string, Promise<BundleFile>>();

export function bundleAtHand(platform: BundlePlatform, onProgress?: (text: string) => void): Promise<BundleFile> {
  const known = built.get(platform);
  if (known !== undefined) return known;
  const making = buildBundle({ platform, ...(onProgress === undefined ? {} : { onProgress }) });
  built.set(platform, making);
  return making;
}

/**
 * The input `bundle` of the resources that run it: new code on the operator's side means a new digest, and that is a
 * difference like any other.
 */
export async function completeWithBundle(news: Record<string, unknown>): Promise<{ bundle: string }> {
  const known = machine.safeParse(news.machine);
  // A machine that is not known yet is not built for: the next check, with its facts, is the one that counts.
  const platform = known.success ? bundlePlatformOf(known.data, known.data.attributes.arch) : "host";
  return { bundle: (await bundleAtHand(platform)).digest };
}
