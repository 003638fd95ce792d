/** Makes the bundle that goes to machines: the agent's JavaScript, the two shell scripts, and Node itself. Built once per content, then found in a cache. */
import { hash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { BundleCompression, BundlePlatform } from "../contract/bundle-platform.ts";
import { describeError, SpillwayError } from "../contract/errors.ts";
import type { CarriedNode } from "./contents.ts";
import { missingBinary, nodeBinaryFor } from "./node-binary.ts";

export interface BundleOptions {
  readonly platform: BundlePlatform;
  /** gzip by default. Only what is asked for is made. */
  readonly compression?: BundleCompression;
  /** The Node binary to put in; by default the one of npm's package, fetched into the cache when it is not there. */
  readonly nodeBinary?: string;
  /** The checkout whose agent goes in, with its dependencies installed; by default this one. How it is built is always ours. */
  readonly repository?: string;
  /** Where tarballs are kept; by default `bundles` in the cache. */
  readonly outDir?: string;
  /** What takes long, while it does: a download from npm. */
  readonly onProgress?: (text: string) => void;
}

export interface Bundle {
  /** sha256 (hex) of the list of contents: the bundle's name. Does not depend on the compressor. */
  readonly digest: string;
  /** Path of `<digest>.tar.gz` or `.tar.zst`. */
  readonly tarball: string;
  readonly compression: BundleCompression;
  readonly bytes: number;
  /** sha256 (hex) of the tarball itself, to check an upload by. */
  readonly sha256: string;
}

/** Part of the key: grows when the same sources give another bundle. */
const buildVersion = 3;
/** Tarballs of former sources, and parts of them, are deleted after this long. */
const keepTarballsMs = 14 * 24 * 3_600_000;
const ownRepository = resolve(import.meta.dirname, "../..");
const endings: Record<BundleCompression, string> = { gzip: "tar.gz", zstd: "tar.zst" };
const record = z.object({ digest: z.string(), bytes: z.number(), sha256: z.string(), stamp: z.string() });

/** A call with nothing changed costs a look at the sources, some 20 ms. Throws `node-binary-missing`, `bundle-failed`. */
export async function buildBundle(options: BundleOptions): Promise<Bundle> {
  const outDir = options.outDir ?? join(cacheDirectory(), "bundles");
  const repository = resolve(options.repository ?? ownRepository);
  const node = await carriedNode(options);
  const { platform, compression = "gzip" } = options;
  const recordFile = join(outDir, `${platform}-${await keyOf(repository, node)}${compression === "gzip" ? "" : `-${compression}`}.json`);
  const cached = await readCached(recordFile, outDir, compression);
  if (cached !== undefined) return cached;

  const partsDir = join(outDir, "parts");
  await mkdir(partsDir, { recursive: true });
  const { collectContents } = await import("./contents.ts");
  const { writeTarball } = await import("./tarball.ts");
  const { digest, entries } = await collectContents({ repository, node });
  const tarball = join(outDir, `${digest}.${endings[compression]}`);
  const temporary = `${tarball}.${process.pid}.${Date.now()}.tmp`;
  try {
    const written = await writeTarball(entries, temporary, { partsDir, compression });
    await rename(temporary, tarball);
    await writeFile(`${recordFile}.${process.pid}.tmp`, JSON.stringify({ digest, ...written, stamp: await stampOf(tarball) }));
    await rename(`${recordFile}.${process.pid}.tmp`, recordFile);
    for (const directory of [outDir, partsDir]) await deleteOld(directory, Date.now() - keepTarballsMs);
    return { digest, tarball, compression, ...written };
  } finally {
    await rm(temporary, { force: true });
  }
}

/** `$SPILLWAY_CACHE`, else `spillway` in the user's cache directory. */
export function cacheDirectory(): string {
  return process.env.SPILLWAY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "spillway");
}

async function carriedNode({ platform, nodeBinary, onProgress }: BundleOptions): Promise<CarriedNode | undefined> {
  if (platform === "host") return undefined;
  return { platform, file: nodeBinary ?? (await nodeBinaryFor({ platform, cache: cacheDirectory(), onProgress })) };
}

/** What decides about the bundle's content: the sources, the locked dependencies, the Node binary's size and time. */
async function keyOf(repository: string, node: CarriedNode | undefined): Promise<string> {
  const parts = [`build ${buildVersion}`];
  const names = (await readdir(join(repository, "agent"), { recursive: true }).catch(notACheckout(repository))).filter(isSource).sort();
  for (const path of [...names.map((name) => join("agent", name)), "package-lock.json"]) {
    parts.push(`${path} ${hash("sha256", await readFile(join(repository, path)))}`);
  }
  if (node !== undefined) {
    const { size, mtimeMs } = await stat(node.file).catch((cause: unknown) => {
      throw missingBinary(node.platform, `${node.file} can't be read`, cause);
    });
    parts.push(`node ${resolve(node.file)} ${size} ${mtimeMs}`);
  }
  return hash("sha256", parts.join("\n")).slice(0, 32);
}

function notACheckout(repository: string): (cause: unknown) => never {
  return (cause) => {
    throw new SpillwayError(`there is no agent to build: ${describeError(cause)}`, {
      code: "bundle-failed",
      where: repository,
      hint: "It is to be a checkout of Spillway in which `npm ci` has run.",
      cause,
    });
  };
}

function isSource(name: string): boolean {
  if (name.split("/").includes("testing")) return false;
  return (name.endsWith(".ts") && !name.endsWith(".test.ts")) || name.endsWith(".sh");
}

/** The tarball made from the same key, unless it is gone or not what was written. Only one that was touched since is read. */
async function readCached(recordFile: string, outDir: string, compression: BundleCompression): Promise<Bundle | undefined> {
  try {
    const { stamp, ...known } = record.parse(JSON.parse(await readFile(recordFile, "utf8")));
    const tarball = join(outDir, `${known.digest}.${endings[compression]}`);
    const intact = (await stampOf(tarball)) === stamp || hash("sha256", await readFile(tarball)) === known.sha256;
    return intact ? { ...known, tarball, compression } : undefined;
  } catch {
    return undefined;
  }
}

/** Changes with every write to the file: the kernel sets ctime. */
async function stampOf(path: string): Promise<string> {
  const { ino, size, mtimeMs, ctimeMs } = await stat(path);
  return [ino, size, mtimeMs, ctimeMs].join(" ");
}

/** Another build may delete at the same time: what is gone is gone. */
async function deleteOld(directory: string, before: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() && /\.(gz|zst|json|tmp)$/.test(name) && found.mtimeMs < before) await rm(path, { force: true });
  }
}
