/** The bundle that belongs to this checkout, built once per process and platform, and its digest before it is built. */
import { buildBundle } from "../../agent/bundle/build.ts";
import type { BundlePlatform } from "../../agent/contract/bundle-platform.ts";
import type { BundleFile } from "../../bootstrap/context.ts";

const built = new Map<string, Promise<BundleFile>>();

/** SPILLWAY_BUNDLE_FROM names another checkout whose agent is taken instead: for trying another version. */
export function bundleAtHand(platform: BundlePlatform, onProgress?: (text: string) => void): Promise<BundleFile> {
  const known = built.get(platform);
  if (known !== undefined) return known;
  const repository = process.env.SPILLWAY_BUNDLE_FROM || undefined;
  const making = buildBundle({
    platform,
    ...(repository === undefined ? {} : { repository }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  built.set(platform, making);
  return making;
}
