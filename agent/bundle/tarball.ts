/**
 * A tar.gz with nothing in it but paths, modes and bytes: no times, no owners, so the same contents give the same file.
 * Large entries are compressed as gzip members of their own and kept, so that a new agent.js does not compress Node again.
 */
import { createHash, hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { appendFile, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createGzip, gzip } from "node:zlib";
import type { BundleEntry } from "./contents.ts";

const blockBytes = 512;
const gzipLevel = 6;

/** Writes `path`; `partsDir` (which must exist) keeps compressed large entries by their sha256. */
export async function writeTarball(
  entries: readonly BundleEntry[],
  path: string,
  partsDir: string,
): Promise<{ bytes: number; sha256: string }> {
  const sum = createHash("sha256");
  let bytes = 0;
  await writeFile(path, "");
  const append = async (part: Buffer) => {
    sum.update(part);
    bytes += part.length;
    await appendFile(path, part);
  };
  let small: Buffer[] = [];
  for (const entry of entries) {
    if (Buffer.isBuffer(entry.content)) {
      small.push(tarHeader(entry), entry.content, padding(entry.size));
      continue;
    }
    if (small.length > 0) await append(await compress(Buffer.concat(small)));
    small = [];
    await append(await compressedPart({ ...entry, file: entry.content.file }, partsDir));
  }
  await append(await compress(Buffer.concat([...small, Buffer.alloc(2 * blockBytes)])));
  return { bytes, sha256: sum.digest("hex") };
}

/** A ustar header: time 0, owner 0, no names. Paths are short by construction. */
function tarHeader(entry: { path: string; mode: number; size: number }): Buffer {
  const header = Buffer.alloc(blockBytes);
  if (Buffer.byteLength(entry.path) > 100) throw new RangeError(`${entry.path} is too long for a tar header`);
  header.write(entry.path, 0);
  header.write(octal(entry.mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(entry.size, 11), 124);
  header.write(octal(0, 11), 136);
  header.write(" ".repeat(8), 148);
  header.write("0", 156);
  header.write("ustar\u000000", 257);
  const checksum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(checksum, 6)}\u0000 `, 148);
  return header;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

function padding(size: number): Buffer {
  return Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes);
}

function compress(data: Buffer): Promise<Buffer> {
  return promisify(gzip)(data, { level: gzipLevel });
}

/** The entry's gzip member. A part's name holds the sha256 of what it was made from and of itself, so a damaged one is made again. */
async function compressedPart(entry: BundleEntry & { file: string }, partsDir: string): Promise<Buffer> {
  const prefix = `${entry.sha256}-${gzipLevel}.`;
  for (const name of (await readdir(partsDir)).filter((candidate) => candidate.startsWith(prefix))) {
    const part = await readFile(join(partsDir, name));
    if (name === `${prefix}${hash("sha256", part)}.gz`) return part;
    await rm(join(partsDir, name), { force: true });
  }
  async function* member() {
    yield tarHeader(entry);
    yield* createReadStream(entry.file, { highWaterMark: 1024 * 1024 });
    yield padding(entry.size);
  }
  const compressor = createGzip({ level: gzipLevel });
  const [part] = await Promise.all([buffer(compressor), pipeline(member, compressor)]);
  const temporary = join(partsDir, `${process.pid}.${Date.now()}.tmp`);
  await writeFile(temporary, part);
  await rename(temporary, join(partsDir, `${prefix}${hash("sha256", part)}.gz`));
  return part;
}
