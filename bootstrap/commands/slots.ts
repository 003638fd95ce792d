/**
 * A role's two slots: the bundle it runs and the one it ran before, each a link. Between them a trial: the new bundle runs
 * and has not proved itself yet. Whatever is cut off in the middle is done again from what is there.
 */
import type { AgentRole, InstallLayout } from "../../agent/contract/install-layout.ts";
import { wholeFunction } from "./bundle.ts";
import { script } from "./shell.ts";

/**
 * What is there of a role, a line `key=value` each: `current` and `before` are the digests in the slots, `whole=yes` when the
 * current one can be started, `node` what its Node links to; `trial` is the note of a trial, in one line.
 */
export function readSlots(layout: InstallLayout, role: AgentRole): string[] {
  return script(
    `${wholeFunction}
slot() { if link=$(readlink "$1" 2>/dev/null); then printf '%s=%s\\n' "$2" "\${link##*/}"; fi; }
slot "$1" current
slot "$2" before
if whole "$1" && [ -f "$1/agent.js" ] && [ -x "$1/bin/node" ]; then echo whole=yes; fi
if link=$(readlink "$1/bin/node" 2>/dev/null); then printf 'node=%s\\n' "$link"; fi
if [ -f "$3" ]; then printf 'trial=%s\\n' "$(cat "$3")"; fi`,
    layout.current(role),
    layout.before(role),
    layout.trial(role),
  );
}

/** Runs the bundle's own look at the role's configuration and surroundings; exit code 0 when it could run there. */
export function selfTest(layout: InstallLayout, role: AgentRole, digest: string): string[] {
  const bundle = layout.bundle(digest);
  return [`${bundle}/bin/node`, `${bundle}/agent.js`, "check", "--config", layout.config(role)];
}

/**
 * Keeps what the role's files outside of our directories hold, for the way back, and the note of the trial (stdin). What was
 * kept before a former try stays, and its note too once the role has been started from that bundle.
 */
export function beginTrial(
  layout: InstallLayout,
  role: AgentRole,
  { digest, files }: { digest: string; files: readonly string[] },
): string[] {
  return script(
    `
set -e
umask 077
kept=$1 digest=$2 trial=$3 current=$4 bundle=$5; shift 5
rm -f "$trial.new"
cat > "$trial.new"
again=
if [ "$(cat "$kept/for" 2>/dev/null)" = "$digest" ] && [ -f "$trial" ]; then again=1; fi
if [ -z "$again" ]; then
  rm -rf "$kept.new"
  mkdir -p "$kept.new"
  for file do if [ -f "$file" ]; then mkdir -p "$kept.new$(dirname "$file")"; cp -p "$file" "$kept.new$file"; fi; done
  printf '%s\\n' "$digest" > "$kept.new/for"
  if [ -d "$kept" ] && [ "$(cat "$kept/for" 2>/dev/null)" != "$digest" ]; then rm -rf "$kept.older"; mv "$kept" "$kept.older"; fi
  rm -rf "$kept"
  mv "$kept.new" "$kept"
fi
if [ -n "$again" ] && [ "$(readlink "$current")" = "$bundle" ]; then rm -f "$trial.new"; else mv "$trial.new" "$trial"; fi`,
    layout.filesBefore(role),
    digest,
    layout.trial(role),
    layout.current(role),
    layout.bundle(digest),
    ...files,
  );
}

/**
 * before ← current, current ← the new one; a role that points there already keeps its slots. What was before that is kept until
 * the trial has ended, so that one that is taken back leaves the slots as they were.
 */
export function flipSlots(layout: InstallLayout, role: AgentRole, digest: string): string[] {
  return script(
    `
set -e
was=$(readlink "$1" || :)
if [ "$was" = "$3" ]; then exit 0; fi
older=$(readlink "$2" || :)
if [ -n "$was" ] && [ "$older" != "$was" ]; then
  if [ -n "$older" ]; then ln -sfn "$older" "$2.older"; else rm -f "$2.older"; fi
  ln -sfn "$was" "$2"
fi
ln -sfn "$3" "$1.new"
mv -fT "$1.new" "$1" 2>/dev/null || { rm -f "$1.new"; ln -sfn "$3" "$1"; }`,
    layout.current(role),
    layout.before(role),
    layout.bundle(digest),
  );
}

/**
 * Leaves the bundle `digest`: current ← before, with the files as they were then. That slot holds afterwards what it held before a
 * trial, and nothing after one that had ended, so that done twice it goes back once; a role that does not run from that bundle
 * only gets its files back.
 */
export function flipBack(layout: InstallLayout, role: AgentRole, digest: string): string[] {
  return script(
    `
set -e
current=$1 before=$2 kept=$3 trial=$4 bundle=$5
if [ "$(cat "$kept/for" 2>/dev/null)" = "\${bundle##*/}" ]; then
  (cd "$kept" && find . -type f ! -path ./for) | while read -r file; do
    cp -p "$kept/$file" "/$file.new"
    mv -f "/$file.new" "/$file"
  done
fi
was=$(readlink "$before" || :)
if [ -n "$was" ] && [ "$(readlink "$current")" = "$bundle" ]; then
  ln -sfn "$was" "$current.new"
  mv -fT "$current.new" "$current" 2>/dev/null || { rm -f "$current.new"; ln -sfn "$was" "$current"; }
fi
if [ "$was" = "$(readlink "$current")" ]; then
  older=$(readlink "$before.older" || :)
  if [ -n "$older" ]; then ln -sfn "$older" "$before"; rm -f "$before.older"; else rm -f "$before"; fi
fi
if [ "$(cat "$kept/for" 2>/dev/null)" = "\${bundle##*/}" ]; then
  rm -rf "$kept"
  if [ -d "$kept.older" ]; then mv "$kept.older" "$kept"; fi
fi
rm -f "$trial" "$trial.new"`,
    layout.current(role),
    layout.before(role),
    layout.filesBefore(role),
    layout.trial(role),
    layout.bundle(digest),
  );
}

/** The trial is over: the note goes, and every bundle that is in no slot of either role. */
export function endTrial(layout: InstallLayout, role: AgentRole): string[] {
  return script(
    `
set -e
trial=$1 bundles=$2 before=$3 kept=$4; shift 4
rm -f "$trial" "$trial.new" "$before.older"
rm -rf "$kept.older"
for bundle in "$bundles"/*; do
  keep=
  for link do if [ "$(readlink "$link" 2>/dev/null || :)" = "$bundle" ]; then keep=1; fi; done
  if [ -z "$keep" ]; then rm -rf "$bundle"; fi
done`,
    layout.trial(role),
    layout.bundles,
    layout.before(role),
    layout.filesBefore(role),
    ...(["agent", "master"] as const).flatMap((one) => [layout.current(one), layout.before(one), `${layout.before(one)}.older`]),
  );
}
