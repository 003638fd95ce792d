/** What is in a bundle, and the digest that names it. */
import { createHash, hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { bundleAgentScript } from "./agent-script.ts";
import { assertProgramFor, type CarriedPlatform } from "./node-binary.ts";
import { thirdPartyNotices } from "./notices.ts";

/** One file of the bundle: small ones hold their bytes, the Node binary only its path. */
export interface BundleEntry {
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
  readonly content: Buffer | { readonly file: string };
}

/** A Node binary and what it is to run on. */
export interface CarriedNode {
  readonly platform: CarriedPlatform;
  readonly file: string;
}

/** Entries sorted by path; the last thing added is the file `digest`, which is not part of what it names. */
export async function collectContents(from: { repository: string; node: CarriedNode | undefined }): Promise<{
  digest: string;
  entries: BundleEntry[];
}> {
  const { files, packages } = await bundleAgentScript(from.repository);
  const shell = (name: string) => readFile(join(from.repository, "agent", "bundle", name));
  const entries = [
    ...files.map(({ path, content }) => entryOf(path, 0o644, content)),
    entryOf("supervise.sh", 0o755, await shell("supervise.sh")),
    entryOf("task-supervisor.sh", 0o755, await shell("task-supervisor.sh")),
    entryOf("THIRD-PARTY-NOTICES", 0o644, await thirdPartyNotices(from.repository, packages)),
  ];
  if (from.node !== undefined) entries.push(...(await nodeEntries(from.node)));
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  const digest = hash("sha256", entries.map((entry) => `${entry.mode.toString(8)} ${entry.sha256} ${entry.path}\n`).join(""));
  return { digest, entries: [...entries, entryOf("digest", 0o644, Buffer.from(`${digest}\n`))] };
}

function entryOf(path: string, mode: number, content: Buffer): BundleEntry {
  return { path, mode, size: content.length, sha256: hash("sha256", content), content };
}

/** The binary and, where npm's package has it, its licence. */
async function nodeEntries({ platform, file }: CarriedNode): Promise<BundleEntry[]> {
  await assertProgramFor(platform, file);
  const sum = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), sum);
  const binary = { path: "bin/node", mode: 0o755, size: (await stat(file)).size, sha256: sum.digest("hex"), content: { file } };
  const license = await readFile(join(dirname(dirname(file)), "LICENSE")).catch(() => undefined);
  return license === undefined ? [binary] : [binary, entryOf("bin/node.LICENSE", 0o644, license)];
}
