/** Putting a bundle on the machine. */
import type { BundleCompression } from "../../agent/contract/bundle-platform.ts";
import type { InstallLayout } from "../../agent/contract/install-layout.ts";
import { script } from "./shell.ts";

export interface UnpackOptions {
  readonly layout: InstallLayout;
  readonly digest: string;
  readonly tarballSha256: string;
  readonly compression: BundleCompression;
  readonly sha256: readonly string[];
  /** A Node binary of the machine to link to; undefined when the bundle holds its own. */
  readonly nodeBinary: string | undefined;
  /** SELinux is on there: the files get the labels of their places, or systemd may not run the Node among them. */
  readonly relabel: boolean;
}

const bootId = "/proc/sys/kernel/random/boot_id";

/**
 * A function of a shell: `whole DIRECTORY` is true for a bundle that is there. One that was not on the disk yet when the
 * machine lost its power is there by name, and empty inside; it bears the id of the boot in which it was unpacked.
 */
export const wholeFunction = `
whole() {
  [ -d "$1" ] || return 1
  [ ! -e "$1/not-synced" ] || [ "$(cat "$1/not-synced")" = "$(cat ${bootId} 2>/dev/null)" ]
}`;

/**
 * Reads the tarball from stdin, checks it, unpacks it beside its final place and moves it there by one rename. That it
 * comes onto the disk is seen to after that, since it takes long and nobody has to wait for it.
 * A transfer that was cut or falsified leaves nothing behind and says so.
 */
export function unpackBundle({ layout, digest, tarballSha256, compression, sha256, nodeBinary, relabel }: UnpackOptions): string[] {
  return script(
    `${wholeFunction}
set -e
umask 022
dir=$1 want=$2 program=$3 node=$4 relabel=$5; shift 5
# What broken uploads left, also of other bundles. One whose process is there yet cleans up after itself.
for old in "\${dir%/*}"/*.part*; do
  case \${old##*.} in *[!0-9]*) ;; *) if grep -qsF -- "\${old%.part*}" "/proc/\${old##*.}/cmdline"; then continue; fi ;; esac
  rm -rf "$old"
done
part=$dir.part.$$
trap 'rm -rf "$part"' EXIT
mkdir -p "$part/bundle"
cat > "$part/tarball"
# Several times as fast as others where the processor can do it.
if [ "$(openssl dgst -sha256 -r </dev/null 2>/dev/null | cut -c1-16)" = e3b0c44298fc1c14 ]; then set -- openssl dgst -sha256 -r; fi
have=$("$@" < "$part/tarball" | cut -d' ' -f1)
if [ "$have" != "$want" ]; then echo "the bundle arrived broken: its SHA-256 is $have, expected $want" >&2; exit 1; fi
boot=$(cat ${bootId} 2>/dev/null) || boot=
if [ -n "$node" ]; then boot=; fi
if [ -n "$boot" ]; then printf '%s\\n' "$boot" > "$part/bundle/not-synced"; fi
# GNU tar reads pieces of 10 KiB else.
TAR_OPTIONS=--blocking-factor=512; export TAR_OPTIONS
{ "$program" -dc < "$part/tarball" || : > "$part/failed"; } | tar -xf - -C "$part/bundle"
if [ -e "$part/failed" ]; then echo "$program could not unpack it" >&2; exit 1; fi
if [ -n "$node" ]; then mkdir -p "$part/bundle/bin"; ln -sf "$node" "$part/bundle/bin/node"
elif [ -z "$boot" ]; then sync; fi
if [ -n "$relabel" ]; then PATH=$PATH:/usr/sbin:/sbin; restorecon -R "$part/bundle"; fi
if whole "$dir"; then exit 0; fi
if [ -e "$dir" ]; then mv "$dir" "$part/former"; fi
mv "$part/bundle" "$dir"
if [ -n "$boot" ]; then (trap '' HUP; { sync -f "$dir" 2>/dev/null || sync; } && rm -f "$dir/not-synced") </dev/null >/dev/null 2>&1 & fi`,
    layout.bundle(digest),
    tarballSha256,
    compression,
    nodeBinary ?? "",
    relabel ? "yes" : "",
    ...sha256,
  );
}
