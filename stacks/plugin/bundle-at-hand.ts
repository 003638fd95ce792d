/** The bundle that belongs to this checkout, built once per process, platform and compression, and its digest before it is built. */
import { buildBundle } from "../../agent/bundle/build.ts";
import type { BundleCompression, BundlePlatform } from "../../agent/contract/bundle-platform.ts";
import type { BundleFile } from "../../bootstrap/context.ts";

const built = new Map<string, Promise<BundleFile>>();

export interface AtHandOptions {
  /** Most machines take zstd; the digest is the same. */
  readonly compression?: BundleCompression;
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** SPILLWAY_BUNDLE_FROM names another checkout whose agent is taken instead: for trying another version. */
export function bundleAtHand(platform: BundlePlatform, { compression = "zstd", onProgress }: AtHandOptions = {}): Promise<BundleFile> {
  const key = `${platform} ${compression}`;
  const known = built.get(key);
  if (known !== undefined) return known;
  const repository = process.env.SPILLWAY_BUNDLE_FROM || undefined;
  const making = buildBundle({
    platform,
    compression,
    ...(repository === undefined ? {} : { repository }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  built.set(key, making);
  return making;
}
