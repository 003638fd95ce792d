/** Writes configuration and keys, and points a new role at its bundle; only what differs is touched. */

import { fileHolds, pointLink, restoreLabels, writeFile } from "../commands/files.ts";
import { type BootstrapContext, filledIn, type InstalledFile, type Phase } from "../context.ts";
import { supervisionOf } from "../supervision.ts";

export const install: Phase = {
  title: "install",
  async run(context) {
    const { request } = context;
    const layout = filledIn(context.layout, "layout");
    const facts = filledIn(context.facts, "facts");
    for (const file of request.files(layout, facts)) await put(file, context);
    for (const file of supervisionOf(facts).files(layout, request.role)) {
      // A unit belongs to its bundle: the new one comes with the rollout, which also knows the way back.
      if (context.isFormer === true && (await isThere(file, context))) continue;
      await put(file, context);
    }
    if (context.restartNeeded) await relabel(context);
    const { digest } = filledIn(context.bundle, "bundle");
    if (context.slots?.current === digest) return;
    const sentence = `point the ${request.role} at bundle ${digest.slice(0, 12)}`;
    const link = pointLink(layout.current(request.role), layout.bundle(digest));
    await filledIn(context.remote, "remote").change("remote.install", sentence, link);
    context.restartNeeded = true;
  },
};

/** Where SELinux is on, what was written may not be started else. */
export async function relabel(context: BootstrapContext): Promise<void> {
  const layout = filledIn(context.layout, "layout");
  const facts = filledIn(context.facts, "facts");
  if (facts.root !== "" || facts.selinux === undefined) return;
  const units = supervisionOf(facts).files(layout, context.request.role);
  const places = [...layout.owned, ...units.map(({ path }) => path)];
  await filledIn(context.remote, "remote").change("remote.install", "restore SELinux labels", restoreLabels(...places));
}

async function isThere({ path }: InstalledFile, context: BootstrapContext): Promise<boolean> {
  return (await filledIn(context.remote, "remote").read(["test", "-e", path])).code === 0;
}

/** Writes the file when it does not hold just that; the role has to be started anew then, unless it notices by itself. */
export async function put(file: InstalledFile, context: BootstrapContext): Promise<void> {
  const remote = filledIn(context.remote, "remote");
  const same = await remote.read(fileHolds(file.path), { stdin: file.content });
  if (same.code === 0) return;
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  const sentence = `write ${name} for the ${context.request.role}`;
  await remote.change("remote.install", sentence, writeFile(file.path, file.mode), { stdin: file.content });
  if (file.live !== true) context.restartNeeded = true;
}
