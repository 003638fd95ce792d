/** Writes configuration and keys, and points the role at its bundle; only what differs is touched. */

import { parseFacts, readInstallation } from "../commands/facts.ts";
import { fileHolds, pointLink, writeFile } from "../commands/files.ts";
import { filledIn, type Phase } from "../context.ts";
import { supervisionOf } from "../supervision.ts";

export const install: Phase = {
  title: "install",
  async run(context) {
    const { request } = context;
    const remote = filledIn(context.remote, "remote");
    const layout = filledIn(context.layout, "layout");
    const bundle = filledIn(context.bundle, "bundle");
    const facts = filledIn(context.facts, "facts");
    for (const file of [...request.files(layout, facts), ...supervisionOf(facts).files(layout, request.role)]) {
      const same = await remote.read(fileHolds(file.path), { stdin: file.content });
      if (same.code === 0) continue;
      const name = file.path.slice(file.path.lastIndexOf("/") + 1);
      await remote.change("remote.install", `write ${name} for the ${request.role}`, writeFile(file.path, file.mode), {
        stdin: file.content,
      });
      context.restartNeeded = true;
    }
    const installed = parseFacts((await remote.read(readInstallation(layout, request.role, bundle.digest))).stdout);
    if (installed.get("current")?.[0] !== layout.bundle(bundle.digest)) {
      const sentence = `point the ${request.role} at bundle ${bundle.digest.slice(0, 12)}`;
      await remote.change("remote.install", sentence, pointLink(layout.current(request.role), layout.bundle(bundle.digest)));
      context.restartNeeded = true;
    }
  },
};
