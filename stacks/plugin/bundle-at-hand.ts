/** The bundle that belongs to this checkout, built once per process and platform, and its digest before it is built. */
import { buildBundle } from "../../agent/bundle/build.ts";
import type { BundleFile } from "../../bootstrap/context.ts";

const built = new Map<string, Promise<BundleFile>>();

export function bundleAtHand(platform: "linux-x64" | "host"): Promise<BundleFile> {
  const known = built.get(platform);
  if (known !== undefined) return known;
  const making = buildBundle({ platform });
  built.set(platform, making);
  return making;
}

/** The digest of the bundle for this machine: an input of the resources that run it, so that new code is a difference. */
export async function bundleDigestFor(machine: { nodeBinary?: string | undefined }): Promise<string> {
  return (await bundleAtHand(machine.nodeBinary === undefined ? "linux-x64" : "host")).digest;
}
