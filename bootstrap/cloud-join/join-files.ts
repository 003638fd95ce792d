/**
 * How a machine that nobody logs in to makes itself a node: the files that it is born with. What they do is what an installation
 * over SSH does, by the same commands with the same files; only who runs them is another.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type InstallLayout, installLayout } from "../../agent/contract/install-layout.ts";
import { agentFiles } from "../agent-files.ts";
import type { InstalledFile } from "../context.ts";
import { clockLimits, neededDiskMiB, neededMemoryMiB, oldestGlibc, oldestSystemd } from "../findings.ts";
import { type CloudJoin, factsOf, joinUnit } from "./cloud-join.ts";
import { joinScript } from "./join-script.ts";

/** What the steps need; those that talk to systemd have no say in a directory. */
const tools = ["tar", "gzip", "sha256sum", "cmp", "awk"];

export function joinFiles(wish: CloudJoin): InstalledFile[] {
  const { root = "" } = wish;
  const layout = installLayout(root);
  return [
    { path: `${layout.join}/ca.pem`, mode: "600", content: wish.caCert },
    { path: `${layout.join}/settings.json`, mode: "600", content: `${JSON.stringify(settingsOf(wish, layout))}\n` },
    { path: `${layout.join}/machine.py`, mode: "600", content: readFileSync(join(import.meta.dirname, "machine.py"), "utf8") },
    // Last: what starts it finds all of it there.
    { path: `${layout.join}/join.sh`, mode: "700", content: joinScript({ wish, layout, files: agentFiles(wish, layout, factsOf(root)) }) },
    ...(root === "" ? [{ path: `/etc/systemd/system/${joinUnit}`, mode: "644", content: unitText(layout) }] : []),
  ];
}

/** For machine.py. */
function settingsOf(
  { endpoint, node, token, bundle, arch, identity, patienceMs, root = "", nodeBinary }: CloudJoin,
  layout: InstallLayout,
) {
  return {
    endpoint,
    caFile: `${layout.join}/ca.pem`,
    node,
    token,
    ...bundle,
    arch,
    bundle: layout.bundle(bundle.digest),
    opt: layout.opt,
    identityFile: layout.identityFile,
    environmentId: identity.environmentId,
    isHost: root === "",
    oldestGlibc,
    oldestSystemd,
    diskMiB: nodeBinary === undefined ? neededDiskMiB.uploaded : neededDiskMiB.linked,
    memoryMiB: neededMemoryMiB,
    clockSkewS: clockLimits.refuseMs / 1000,
    patienceS: Math.ceil(patienceMs / 1000),
    tools,
  };
}

function unitText({ join: directory }: InstallLayout): string {
  return `[Unit]
Description=Spillway: makes this machine a node
Wants=network-online.target
After=network-online.target
ConditionPathExists=${directory}/join.sh
StartLimitIntervalSec=1h
StartLimitBurst=6

[Service]
Type=oneshot
ExecStart=/bin/sh ${directory}/join.sh
TimeoutStartSec=infinity
# 3 is a refusal: trying again would change nothing.
Restart=on-failure
RestartPreventExitStatus=3
RestartSec=15s
StandardOutput=journal+console
StandardError=inherit

[Install]
WantedBy=multi-user.target
`;
}
