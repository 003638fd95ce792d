/**
 * Bundles' tarballs on the master's machine, for machines that fetch their own: `<digest>.tar.gz` in its state directory. They come
 * in pieces through the API, so that no upload is longer than any other request, and one that broke goes on where it was.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { BundleState } from "../contract/api.ts";
import { SpillwayError } from "../contract/errors.ts";

export interface StoredBundle {
  readonly path: string;
  readonly bytes: number;
}

export interface Piece {
  readonly bytes: number;
  /** Hex, of the whole tarball. */
  readonly sha256: string;
  readonly offset: number;
  readonly data: Buffer;
}

export interface BundleStore {
  /** Undefined for a digest that was never given, or not in whole. */
  find(digest: string): Promise<StoredBundle | undefined>;
  /** Takes the next piece. Throws `piece-misplaced` for another one, `bundle-broken` when the whole is not what was announced. */
  put(digest: string, piece: Piece): Promise<BundleState>;
}

/** Two processors, the present version and the two before it; a tarball has about 45 MiB. */
const mostBundles = 6;
/** Nobody goes on with an upload after that. */
const keepPartsMs = 24 * 3_600_000;

export function bundleStore(directory: string): BundleStore {
  /** One piece at a time: whoever uploads the same bundle meanwhile finds more of it there. */
  let busy: Promise<unknown> = Promise.resolve();
  const pathOf = (digest: string) => join(directory, `${digest}.tar.gz`);

  async function find(digest: string): Promise<StoredBundle | undefined> {
    const path = pathOf(digest);
    const bytes = await sizeOf(path);
    return bytes === undefined ? undefined : { path, bytes };
  }

  async function take(digest: string, piece: Piece): Promise<BundleState> {
    const known = await find(digest);
    if (known !== undefined) {
      // Asked for by whoever is about to need it: it is not the oldest any more.
      await utimes(known.path, new Date(), new Date());
      return { have: known.bytes, complete: true };
    }
    // By the tarball's own sum: two compressions of one bundle are two files.
    const part = `${pathOf(digest)}.${piece.sha256.slice(0, 16)}.part`;
    const have = (await sizeOf(part)) ?? 0;
    if (piece.data.length === 0) return { have, complete: false };
    if (piece.offset !== have || have + piece.data.length > piece.bytes) {
      throw new SpillwayError(`the piece begins at ${piece.offset}, and ${have} bytes of ${piece.bytes} are there`, {
        code: "piece-misplaced",
        where: `bundle ${digest.slice(0, 12)}`,
        hint: "Ask with an empty piece what is there, and go on from that.",
      });
    }
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await append(part, piece.data);
    if (have + piece.data.length < piece.bytes) return { have: have + piece.data.length, complete: false };
    await finish(part, digest, piece);
    return { have: piece.bytes, complete: true };
  }

  async function finish(part: string, digest: string, { sha256 }: Piece): Promise<void> {
    const sum = createHash("sha256");
    await pipeline(createReadStream(part, { highWaterMark: 1024 * 1024 }), sum);
    const have = sum.digest("hex");
    if (have !== sha256) {
      await rm(part, { force: true });
      throw new SpillwayError(`the bundle arrived broken: its SHA-256 is ${have}, expected ${sha256}`, {
        code: "bundle-broken",
        where: `bundle ${digest.slice(0, 12)}`,
        hint: "Upload it once more.",
      });
    }
    await rename(part, pathOf(digest));
    await forgetOldest(directory);
  }

  return {
    find,
    put(digest, piece) {
      const turn = busy.then(() => take(digest, piece));
      busy = turn.catch(() => undefined);
      return turn;
    },
  };
}

async function append(path: string, data: Buffer): Promise<void> {
  const file = await open(path, "a", 0o600);
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function forgetOldest(directory: string): Promise<void> {
  const names = await readdir(directory);
  const dated = await Promise.all(
    names.map(async (name) => ({ path: join(directory, name), at: (await stat(join(directory, name))).mtimeMs })),
  );
  const whole = dated.filter(({ path }) => path.endsWith(".tar.gz")).toSorted((a, b) => b.at - a.at);
  const parts = dated.filter(({ path, at }) => path.endsWith(".part") && at < Date.now() - keepPartsMs);
  for (const { path } of [...whole.slice(mostBundles), ...parts]) await rm(path, { force: true });
}

async function sizeOf(path: string): Promise<number | undefined> {
  return await stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}
