/** Which kind of machine a bundle is for, and its name for people. */

/** `host` holds no Node binary: the machine links to one it has. The others bring their own, linked against glibc. */
export type BundlePlatform = "linux-x64" | "linux-arm64" | "host";

/** How its tarball is compressed: zstd where the machine can unpack it, at a fifth of gzip's effort; gzip everywhere. */
export type BundleCompression = "gzip" | "zstd";

/** A bundle's digest as people see it. */
export function short(digest: string): string {
  return digest.slice(0, 6);
}
