/** A stream of JSON lines as an answer. It is made as fast as it is read; when the reader goes, the source is ended. */
import type { Context } from "hono";

/** `source` gets a signal that aborts when the reader is gone or the master shuts down. */
export function ndjson(context: Context, shutdown: AbortSignal, source: (signal: AbortSignal) => AsyncIterable<unknown>): Response {
  const gone = new AbortController();
  const signal = AbortSignal.any([gone.signal, shutdown]);
  const lines = source(signal)[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await lines.next();
      if (next.done === true) controller.close();
      else controller.enqueue(encoder.encode(`${JSON.stringify(next.value)}\n`));
    },
    async cancel() {
      gone.abort();
      await lines.return?.();
    },
  });
  return context.body(body, 200, { "content-type": "application/x-ndjson; charset=utf-8", "cache-control": "no-store" });
}
