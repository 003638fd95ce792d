/** Brings the bundle to the machine as one stream, unless that digest is there. */
import { createReadStream } from "node:fs";
import { uploadsAtOnce } from "../at-once.ts";
import { bundlePlatformOf, compressionOf } from "../bundle-platform-of.ts";
import { unpackBundle } from "../commands/bundle.ts";
import { parseFacts, readInstallation } from "../commands/facts.ts";
import { pointLink } from "../commands/files.ts";
import { filledIn, type Phase } from "../context.ts";

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
    const bundle = await request.bundle(bundlePlatformOf(request.machine, facts.arch), compressionOf(facts));
    context.bundle = bundle;
    const installed = parseFacts((await remote.read(readInstallation(layout, request.role, bundle.digest))).stdout);
    if (installed.has("bundle")) {
      if (nodeBinary === undefined || installed.get("node")?.[0] === nodeBinary) return;
      await remote.change("remote.install", `link Node ${nodeBinary}`, pointLink(`${layout.bundle(bundle.digest)}/bin/node`, nodeBinary));
      context.restartNeeded = true;
      return;
    }
    const sentence = `upload the bundle ${bundle.digest.slice(0, 12)} (${formatBytes(bundle.bytes)}${nodeBinary === undefined ? "" : ", Node linked"})`;
    const relabel = facts.root === "" && facts.selinux !== undefined;
    const command = unpackBundle({
      layout,
      digest: bundle.digest,
      tarballSha256: bundle.sha256,
      compression: bundle.compression,
      sha256: facts.sha256,
      nodeBinary,
      relabel,
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
