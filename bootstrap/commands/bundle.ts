/** Putting a bundle on the machine. */
import type { InstallLayout } from "../../agent/contract/install-layout.ts";
import { script } from "./shell.ts";

export interface UnpackOptions {
  readonly layout: InstallLayout;
  readonly digest: string;
  readonly tarballSha256: string;
  readonly sha256: readonly string[];
  /** A Node binary of the machine to link to; undefined when the bundle holds its own. */
  readonly nodeBinary: string | undefined;
  /** SELinux is on there: the files get the labels of their places, or systemd may not run the Node among them. */
  readonly relabel: boolean;
}

/**
 * Reads the tarball from stdin, checks it, unpacks it beside its final place and moves it there by one rename.
 * A transfer that was cut or falsified leaves nothing behind and says so.
 */
export function unpackBundle({ layout, digest, tarballSha256, sha256, nodeBinary, relabel }: UnpackOptions): string[] {
  return script(
    `
set -e
umask 022
dir=$1 want=$2 node=$3 relabel=$4; shift 4
part="$dir.part"
# Also what a broken upload of another bundle left.
rm -rf "$(dirname "$dir")"/*.part "$(dirname "$dir")"/*.part.tar.gz
mkdir -p "$part"
trap 'rm -rf "$part" "$part.tar.gz"' EXIT
cat > "$part.tar.gz"
have=$("$@" < "$part.tar.gz" | cut -d' ' -f1)
if [ "$have" != "$want" ]; then echo "the bundle arrived broken: its SHA-256 is $have, expected $want" >&2; exit 1; fi
tar -xzf "$part.tar.gz" -C "$part"
if [ -n "$node" ]; then mkdir -p "$part/bin"; ln -sf "$node" "$part/bin/node"
# Or a power cut would leave a bundle that is there by name and empty inside.
else sync -f "$part" 2>/dev/null || sync; fi
if [ -n "$relabel" ]; then PATH=$PATH:/usr/sbin:/sbin; restorecon -R "$part"; fi
if [ ! -d "$dir" ]; then mv "$part" "$dir"; fi`,
    layout.bundle(digest),
    tarballSha256,
    nodeBinary ?? "",
    relabel ? "yes" : "",
    ...sha256,
  );
}
