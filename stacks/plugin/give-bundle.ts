/**
 * Gives the master a bundle for machines that fetch their own. It costs the way of one tarball (some 45 MiB, a third more on the
 * wire) from here to the master, once for each version and processor, and as much of the master's disk.
 */
import { open } from "node:fs/promises";
import type { BundleState } from "../../agent/contract/api.ts";
import type { Client } from "../../agent/contract/client.ts";
import { cancelled, SpillwayError } from "../../agent/contract/errors.ts";
import type { BundleFile } from "../../bootstrap/context.ts";

/** The API takes a request of 1 MiB, and base64 is a third longer. */
const pieceBytes = 700 * 1024;

export interface GiveOptions {
  readonly onProgress?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Runs one call to the master, patiently. What it does may be done twice. */
  readonly call: <T>(act: (client: Pick<Client, "putBundlePiece">) => Promise<T>) => Promise<T>;
}

/** Nothing happens when it is there. Another one who gives it at the same time helps. Throws what the master says. */
export async function giveBundle({ digest, tarball, compression, bytes, sha256 }: BundleFile, options: GiveOptions): Promise<void> {
  if (compression !== "gzip") throw new Error("bug: machines unpack what they fetch by gzip");
  const { onProgress, signal, call } = options;
  const put = (offset: number, data: Buffer): Promise<BundleState> =>
    call((client) => client.putBundlePiece(digest, { bytes, sha256, offset, data: data.toString("base64") }));
  const file = await open(tarball, "r");
  try {
    let state = await put(0, Buffer.alloc(0));
    while (!state.complete) {
      if (signal?.aborted === true) throw cancelled();
      onProgress?.(`giving the master the bundle ${Math.floor((100 * state.have) / bytes)} %`);
      const { bytesRead, buffer } = await file.read(Buffer.alloc(pieceBytes), 0, pieceBytes, state.have);
      if (bytesRead === 0) throw new Error(`bug: ${tarball} ends at ${state.have} bytes`);
      state = await put(state.have, buffer.subarray(0, bytesRead)).catch(async (error: unknown) => {
        // Answered twice, or brought by somebody else: on from what is there now.
        if (error instanceof SpillwayError && error.code === "piece-misplaced") return await put(0, Buffer.alloc(0));
        throw error;
      });
    }
  } finally {
    await file.close();
  }
}
