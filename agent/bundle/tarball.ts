/**
 * A compressed tarball with nothing in it but paths, modes and bytes: no times, no owners, so the same contents give the same file.
 * Large entries are compressed as gzip members (zstd frames) of their own and kept, so that a new agent.js does not compress Node again.
 */
import { createHash, hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { appendFile, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Transform } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { constants, createGzip, createZstdCompress, gzip, zstdCompress } from "node:zlib";
import type { BundleCompression } from "../contract/bundle-platform.ts";
import type { BundleEntry } from "./contents.ts";

const blockBytes = 512;
const gzipLevel = 6;
/** 38 MB where level 3 has 43, in 4 s; 12 takes twice as long for 0.4 MB. */
const zstdParameters = { params: { [constants.ZSTD_c_compressionLevel]: 9 } };

interface Compressor {
  /** Of a part's name: what was made otherwise is made again. */
  readonly label: string;
  readonly ending: string;
  readonly whole: (data: Buffer) => Promise<Buffer>;
  readonly stream: () => Transform;
}

const compressors: Record<BundleCompression, Compressor> = {
  gzip: {
    label: `${gzipLevel}`,
    ending: "gz",
    whole: (data) => promisify(gzip)(data, { level: gzipLevel }),
    stream: () => createGzip({ level: gzipLevel }),
  },
  zstd: {
    label: "zstd9",
    ending: "zst",
    whole: (data) => promisify(zstdCompress)(data, zstdParameters),
    stream: () => createZstdCompress(zstdParameters),
  },
};

/** Writes `path`; `partsDir` (which must exist) keeps compressed large entries by their sha256. */
export async function writeTarball(
  entries: readonly BundleEntry[],
  path: string,
  { partsDir, compression }: { readonly partsDir: string; readonly compression: BundleCompression },
): Promise<{ bytes: number; sha256: string }> {
  const compressor = compressors[compression];
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
    if (small.length > 0) await append(await compressor.whole(Buffer.concat(small)));
    small = [];
    await append(await compressedPart({ ...entry, file: entry.content.file }, partsDir, compressor));
  }
  await append(await compressor.whole(Buffer.concat([...small, Buffer.alloc(2 * blockBytes)])));
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

/** The entry's gzip member or zstd frame. A part's name holds the sha256 of what it was made from and of itself, so a damaged one is made again. */
async function compressedPart(
  entry: BundleEntry & { file: string },
  partsDir: string,
  { label, ending, stream }: Compressor,
): Promise<Buffer> {
  const prefix = `${entry.sha256}-${label}.`;
  for (const name of (await readdir(partsDir)).filter((candidate) => candidate.startsWith(prefix))) {
    const part = await readFile(join(partsDir, name));
    if (name === `${prefix}${hash("sha256", part)}.${ending}`) return part;
    await rm(join(partsDir, name), { force: true });
  }
  async function* member() {
    yield tarHeader(entry);
    yield* createReadStream(entry.file, { highWaterMark: 1024 * 1024 });
    yield padding(entry.size);
  }
  const compressor = stream();
  const [part] = await Promise.all([buffer(compressor), pipeline(member, compressor)]);
  const temporary = join(partsDir, `${process.pid}.${Date.now()}.tmp`);
  await writeFile(temporary, part);
  await rename(temporary, join(partsDir, `${prefix}${hash("sha256", part)}.${ending}`));
  return part;
}
