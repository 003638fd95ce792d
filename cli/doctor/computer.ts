/** What is looked at on this computer and in this clone, whatever the environments: programs, dependencies, room. */
import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { formatMemory } from "../../agent/contract/quantities.ts";
import type { Finding } from "../../bootstrap/findings.ts";
import { cloneDirectory, stateRoot } from "../../stacks/state-layout.ts";

const leastNodeMajor = 24;
/** As tools/launcher/pulumi.sh accepts it: 3.200. */
const leastPulumiMinor = 200;
/** A bundle, its parts and Node for another kind of machine come to 400 MiB; state and logs grow. */
const neededDiskMiB = 1024;
const pulumiTimeoutMs = 20_000;
const pulumiHint = "`./spillway up` finds it, fetches it or builds it; or install it: https://www.pulumi.com/docs/install";

export async function computerFindings(path = process.env.PATH ?? ""): Promise<Finding[]> {
  return [nodeFinding(process.versions.node), dependencies(), ...(await pulumi(path)), stateDirectory(), await room()];
}

export function nodeFinding(version: string): Finding {
  if (Number.parseInt(version, 10) >= leastNodeMajor) return { name: "Node", ok: true, found: version };
  const hint = `Use Node ${leastNodeMajor} or newer; ./spillway fetches one by itself.`;
  return { name: "Node", ok: false, found: `${version}, which is too old`, hint };
}

const manifest = z.object({ version: z.string().default(""), dependencies: z.record(z.string(), z.string()).default({}) });

/** Whether what package.json pins is what is there. */
function dependencies(): Finding {
  const { dependencies: pinned } = readManifest(join(cloneDirectory, "package.json"));
  const other = Object.entries(pinned).flatMap(([name, wanted]) => {
    const file = join(cloneDirectory, "node_modules", name, "package.json");
    const version = existsSync(file) ? readManifest(file).version : "missing";
    return version === wanted ? [] : [`${name} is ${version}, ${wanted} wanted`];
  });
  if (other.length === 0) return { name: "dependencies", ok: true, found: `${Object.keys(pinned).length} packages, as pinned` };
  return { name: "dependencies", ok: false, found: other.join("; "), hint: `npm ci in ${cloneDirectory}` };
}

function readManifest(file: string): z.infer<typeof manifest> {
  return manifest.parse(JSON.parse(readFileSync(file, "utf8")));
}

async function pulumi(path: string): Promise<Finding[]> {
  const cli = programOn(path, "pulumi");
  const host = programOn(path, "pulumi-language-nodejs");
  const hint = pulumiHint;
  return [
    cli === undefined ? { name: "Pulumi CLI", ok: false, found: "not on PATH", hint } : pulumiFinding(cli, await versionOf(cli, path)),
    host === undefined
      ? { name: "Pulumi's Node host", ok: false, found: "pulumi-language-nodejs is not on PATH", hint }
      : { name: "Pulumi's Node host", ok: true, found: host },
  ];
}

/** @param version what it printed, which begins with a v in official builds only; undefined when it could not be run */
export function pulumiFinding(file: string, version: string | undefined): Finding {
  const minor = Number(/^v?3\.(\d+)\./.exec(version ?? "")?.[1] ?? Number.NaN);
  if (minor >= leastPulumiMinor) return { name: "Pulumi CLI", ok: true, found: `${version?.replace(/^v/, "")} (${file})` };
  const found = version === undefined ? `${file} can't be run` : `${version} (${file}); 3.${leastPulumiMinor} or newer is needed`;
  return { name: "Pulumi CLI", ok: false, found, hint: pulumiHint };
}

async function versionOf(file: string, path: string): Promise<string | undefined> {
  const env = { ...process.env, PATH: path, PULUMI_SKIP_UPDATE_CHECK: "1" };
  try {
    return (await promisify(execFile)(file, ["version"], { env, timeout: pulumiTimeoutMs })).stdout.trim();
  } catch {
    return undefined;
  }
}

function programOn(path: string, name: string): string | undefined {
  return path
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((file) => allows(file, constants.X_OK));
}

function stateDirectory(): Finding {
  const root = stateRoot();
  if (!existsSync(root)) return { name: "state", ok: true, found: `nothing yet in ${root}` };
  if (allows(root, constants.R_OK | constants.W_OK | constants.X_OK)) return { name: "state", ok: true, found: root };
  return { name: "state", ok: false, found: `${root} can't be written by this user`, hint: `ls -ld ${root} shows whose it is.` };
}

async function room(): Promise<Finding> {
  const root = stateRoot();
  const { bavail, bsize } = await statfs(existsSync(root) ? root : dirname(root));
  const freeMiB = Math.floor((bavail * bsize) / 1024 / 1024);
  if (freeMiB >= neededDiskMiB) return { name: "disk", ok: true, found: `${formatMemory(freeMiB)} free` };
  const found = `${formatMemory(freeMiB)} free, ${formatMemory(neededDiskMiB)} needed`;
  return { name: "disk", ok: false, found, hint: `Free some space where ${root} is.` };
}

function allows(file: string, mode: number): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}
