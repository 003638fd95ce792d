/** Brings the bundle to the machine as one stream, unless that digest is there. */
import { createReadStream } from "node:fs";
import { uploadsAtOnce } from "../at-once.ts";
import { unpackBundle } from "../commands/bundle.ts";
import { parseFacts, readInstallation } from "../commands/facts.ts";
import { filledIn, type Phase } from "../context.ts";
import { wantsLabels } from "../machine-facts.ts";
import { bundleAtHand, linkNode } from "../role-bundle.ts";

const uploadTimeoutMs = 15 * 60_000;
/** Of the file; ssh2 sends packets of 32 KiB. */
const chunkBytes = 1024 * 1024;

export const uploadBundle: Phase = {
  title: "upload bundle",
  async run(context) {
    if (context.bundle !== undefined) return;
    const { request } = context;
    const remote = filledIn(context.remote, "remote");
    const layout = filledIn(context.layout, "layout");
    const facts = filledIn(context.facts, "facts");
    const { nodeBinary } = request.machine;
    const bundle = await bundleAtHand(context);
    context.bundle = bundle;
    const installed = parseFacts((await remote.read(readInstallation(layout, request.role, bundle.digest))).stdout);
    if (installed.has("bundle")) return await linkNode(context, bundle.digest, installed.get("node")?.[0]);
    const sentence = `upload the bundle ${bundle.digest.slice(0, 12)} (${formatBytes(bundle.bytes)}${nodeBinary === undefined ? "" : ", Node linked"})`;
    const command = unpackBundle({
      layout,
      digest: bundle.digest,
      tarballSha256: bundle.sha256,
      compression: bundle.compression,
      sha256: facts.sha256,
      nodeBinary,
      relabel: wantsLabels(facts),
    });
    let lastPercent = -1;
    await uploadsAtOnce(() =>
      remote.change("remote.upload", sentence, command, {
        stdin: createReadStream(bundle.tarball, { highWaterMark: chunkBytes }),
        timeoutMs: uploadTimeoutMs,
        leavesFetched: true,
        onBytes(sent) {
          const percent = Math.floor((100 * sent) / bundle.bytes);
          if (percent < lastPercent + 5) return;
          lastPercent = percent;
          request.onProgress?.(`upload bundle ${percent} %`);
        },
      }),
    );
  },
};

function formatBytes(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
