/** Fact: which operating system this is, on which processor, and the host's own name. */
import { arch, hostname, platform, release } from "node:os";

export function platformFact() {
  return { hostname: hostname(), os: platform() as string, arch: arch() as string, kernel: release() };
}
