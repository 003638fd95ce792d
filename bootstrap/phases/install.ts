/** Writes configuration and keys, and points a new role at its bundle; only what differs is touched. */
import { pointLink, restoreLabels } from "../commands/files.ts";
import { type BootstrapContext, filledIn, type Phase } from "../context.ts";
import { wantsLabels } from "../machine-facts.ts";
import { supervisionOf } from "../supervision.ts";
import { compared, put, wantedFiles } from "../wanted-files.ts";
import { lookAgain } from "./look.ts";

export const install: Phase = {
  title: "install",
  async run(context) {
    const { request } = context;
    const layout = filledIn(context.layout, "layout");
    const { units, all } = wantedFiles(context);
    const { same, there } = await compared(all, context);
    // A unit belongs to its bundle: the new one comes with the rollout, which also knows the way back.
    const kept = new Set(context.isFormer === true ? units.filter(({ path }) => there.has(path)) : []);
    await put(
      all.filter((file) => !same.has(file.path) && !kept.has(file)),
      context,
    );
    if (context.restartNeeded) await relabel(context);
    const { digest } = filledIn(context.bundle, "bundle");
    if (context.slots?.current !== digest) {
      const sentence = `point the ${request.role} at bundle ${digest.slice(0, 12)}`;
      const link = pointLink(layout.current(request.role), layout.bundle(digest));
      await filledIn(context.remote, "remote").change("remote.install", sentence, link);
      context.restartNeeded = true;
    }
    if (context.restartNeeded) await lookAgain(context);
  },
};

/** Where SELinux is on, what was written may not be started else. */
export async function relabel(context: BootstrapContext): Promise<void> {
  const layout = filledIn(context.layout, "layout");
  const facts = filledIn(context.facts, "facts");
  if (!wantsLabels(facts)) return;
  const units = supervisionOf(facts).files(layout, context.request.role);
  const places = [...layout.owned, ...units.map(({ path }) => path)];
  await filledIn(context.remote, "remote").change("remote.install", "restore SELinux labels", restoreLabels(...places));
}
