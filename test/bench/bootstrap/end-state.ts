/** What every contender has to bring about on a host, said once as plain data, and the checker that all are judged by. */
import { createHash, hash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildBundle } from "../../../agent/bundle/build.ts";
import type { MasterConfig } from "../../../agent/contract/agent-config.ts";
import { installLayout, unitOf } from "../../../agent/contract/install-layout.ts";
import { createIntermediate, createRootCa } from "../../../agent/master/auth/certificates.ts";
import { unitText } from "../../../bootstrap/commands/systemd-unit.ts";
import type { BundleFile, InstalledFile } from "../../../bootstrap/context.ts";
import type { Container } from "../../lab/support/container.ts";

export interface EndState {
  readonly directories: readonly string[];
  readonly bundle: BundleFile;
  /** Where the bundle is unpacked, and the link that points there. */
  readonly slot: string;
  readonly link: string;
  readonly files: readonly InstalledFile[];
  readonly unit: { readonly name: string; readonly path: string; readonly content: string };
  /** path → SHA-256 (hex) of what must lie there. */
  readonly sums: Readonly<Record<string, string>>;
}

/**
 * The master's role, since it runs by itself: an agent has to join a pool before its service stays up, which only one of
 * the contenders can do.
 */
export async function endStateOf(directory: string): Promise<EndState> {
  const layout = installLayout("");
  const bundle = await buildBundle({ platform: "linux-x64", compression: "zstd" });
  const root = await createRootCa("bench root", 30);
  const intermediate = await createIntermediate(root, "bench intermediate", 30);
  const config: MasterConfig = {
    environment: { id: "00000000-0000-4000-8000-000000000000", name: "bench" },
    listen: { host: "0.0.0.0", port: 7070 },
    endpoint: "https://127.0.0.1:7070",
    stateDir: layout.state("master"),
    caFile: layout.caFile,
    intermediateCertFile: layout.intermediateCertFile,
    intermediateKeyFile: layout.intermediateKeyFile,
    adminTokenSha256: hash("sha256", "bench"),
    timers: { heartbeatIntervalMs: 1000, suspectAfterMs: 5000, disconnectedAfterMs: 15_000, lostAfterMs: 60_000 },
  };
  const files: InstalledFile[] = [
    { path: layout.caFile, content: root.certificate, mode: "644" },
    { path: layout.intermediateCertFile, content: intermediate.certificate, mode: "644" },
    { path: layout.intermediateKeyFile, content: intermediate.key, mode: "600" },
    { path: layout.config("master"), content: `${JSON.stringify(config, null, 2)}\n`, mode: "600" },
  ];
  const unit = { name: unitOf("master"), path: layout.unitFile("master"), content: unitText(layout, "master") };
  const slot = layout.bundle(bundle.digest);
  const unpacked = join(directory, "unpacked");
  if (!existsSync(unpacked)) {
    mkdirSync(unpacked, { recursive: true });
    const { execFileSync } = await import("node:child_process");
    execFileSync("tar", ["-xf", bundle.tarball, "-C", unpacked]);
  }
  const sums: Record<string, string> = {};
  for (const name of ["agent.js", "supervise.sh", "bin/node"]) sums[`${slot}/${name}`] = sumOf(join(unpacked, name));
  for (const { path, content } of [...files, unit]) sums[path] = createHash("sha256").update(content).digest("hex");
  const directories = ["/opt/spillway/bundles", "/etc/spillway", layout.state("master")];
  return { directories, bundle, slot, link: layout.current("master"), files, unit, sums };
}

/** Writes each file under its base name, for contenders that copy files. */
export function writeFiles(directory: string, state: EndState): void {
  mkdirSync(directory, { recursive: true });
  for (const { path, content } of [...state.files, state.unit]) writeFileSync(join(directory, baseName(path)), content, { mode: 0o600 });
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Throws with the first difference. The service may need a moment after its start. */
export async function checkEndState(host: Container, state: EndState): Promise<void> {
  const lines = Object.entries(state.sums).map(([path, sum]) => `${sum}  ${path}`);
  await host.read(["sha256sum", "--quiet", "--strict", "--check", "-"], { input: `${lines.join("\n")}\n` });
  const target = (await host.read(["readlink", state.link])).trim();
  if (target !== state.slot) throw new Error(`${host.name}: ${state.link} points to ${target}`);
  await host.read(["systemctl", "--quiet", "is-enabled", state.unit.name]);
  const answer = await host.read(["systemctl", "show", "--property=ActiveState,SubState,NRestarts", state.unit.name]);
  if (answer.includes("ActiveState=active") && answer.includes("NRestarts=0")) return;
  const log = await host.read(["journalctl", "--no-pager", "--output=cat", "--lines=10", `--unit=${state.unit.name}`]);
  throw new Error(`${host.name}: ${state.unit.name} does not run (${answer.trim().split("\n").join(", ")}):\n${log}`);
}

/** Takes off whatever a contender has brought about, and what it left for itself. */
export async function resetHost(host: Container): Promise<void> {
  await host.read(`
for unit in spillway-master spillway-agent; do systemctl disable --now --quiet $unit.service 2>/dev/null || :; done
rm -rf /opt/spillway /etc/spillway /var/lib/spillway /var/log/spillway /etc/systemd/system/spillway-*.service /root/.ansible /tmp/pyinfra-* /tmp/bundle.tar.*
systemctl daemon-reload`);
}

function sumOf(file: string): string {
  return hash("sha256", readFileSync(file));
}
