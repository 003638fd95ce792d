/** Which bundle a machine takes, and how compressed; pure. */
import type { BundleCompression, BundlePlatform } from "../agent/contract/bundle-platform.ts";

/** @param arch as the facts name it; a machine that has not told yet is taken for x64, the bundle that is nearly always right. */
export function bundlePlatformOf(machine: { readonly nodeBinary?: string | undefined }, arch: string | undefined): BundlePlatform {
  if (machine.nodeBinary !== undefined) return "host";
  return arch === "arm64" ? "linux-arm64" : "linux-x64";
}

export function compressionOf({ zstd }: { readonly zstd?: true }): BundleCompression {
  return zstd === true ? "zstd" : "gzip";
}
