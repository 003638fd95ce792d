/** Events: what was decided and why, looked up or followed. */
import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { event, eventList, type PoolEvent } from "../../contract/api.ts";
import { SpillwayError } from "../../contract/errors.ts";
import type { Leader } from "../leader.ts";
import type { Api, ApiContext } from "./context.ts";
import { ndjson } from "./ndjson.ts";
import { answers, queryInteger, queryIntegerOr, streams } from "./route.ts";

const maxLimit = 1000;
/** A follower that is this far behind is cut off; it can come back with `after`. */
const maxUnread = 10_000;

const query = z.object({
  after: queryInteger({ min: 0 }).optional().describe("events with a higher seq, oldest first; without it the newest ones"),
  subject: z.string().optional().describe("only of this, e.g. job/train-41, node/m2, environment"),
  limit: queryIntegerOr(100, { min: 1, max: maxLimit }).describe("at most so many of the past"),
  follow: z.enum(["true", "false"]).default("false").describe("as JSON lines, then each new event as it comes"),
});
type Query = z.infer<typeof query>;

const base = answers(eventList, "events in their order; with follow=true a stream of JSON lines");
const eventsRoute = createRoute({
  method: "get",
  path: "/v1/events",
  operationId: "listEvents",
  tags: ["explanations"],
  summary: "What was decided, and why",
  description:
    "A page of past events; or, with `follow=true`, `application/x-ndjson`: one event a line, first those asked for, then each new one as it comes, until the reader hangs up or the master stops. " +
    "To go on after a break, ask with `after` = the last `seq` seen. A follower that falls far behind is cut off.",
  request: { query },
  responses: {
    ...base,
    200: { ...base[200], content: { ...base[200].content, ...streams(event, "")[200].content } },
  },
});

export function eventRoutes(api: Api, { leader }: ApiContext): void {
  api.openapi(eventsRoute, (context) => {
    const asked = context.req.valid("query");
    if (asked.follow === "true")
      return ndjson(context, leader().shutdown.signal, (signal) => followEvents(leader(), asked, signal)) as never;
    const { journal } = leader();
    return context.json({ events: journal.list(listOf(asked)), lastSeq: journal.lastSeq() }, 200);
  });
}

/** What is asked for of the past, then each new event, until aborted. */
export async function* followEvents(leader: Leader, asked: Query, signal: AbortSignal): AsyncGenerator<PoolEvent, void, undefined> {
  const { journal } = leader;
  let unread: PoolEvent[] = [];
  let wake = () => {};
  const unfollow = journal.follow((one) => {
    if (asked.subject !== undefined && one.subject !== asked.subject) return;
    unread.push(one);
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort);
  try {
    let last = asked.after ?? 0;
    let page = journal.list(listOf(asked));
    while (page.length > 0 && !signal.aborted) {
      for (const one of page) {
        last = one.seq;
        yield one;
      }
      // The newest ones are one page; from `after` on there may be many.
      page = asked.after === undefined ? [] : journal.list({ ...listOf(asked), after: last });
    }
    while (!signal.aborted) {
      if (unread.length > maxUnread)
        throw new SpillwayError("this follower is too slow", { code: "too-slow", hint: `Ask again with after=${last}.` });
      const batch = unread;
      unread = [];
      for (const one of batch) {
        if (one.seq <= last) continue;
        last = one.seq;
        yield one;
      }
      if (unread.length > 0 || signal.aborted) continue;
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await promise;
    }
  } finally {
    unfollow();
    signal.removeEventListener("abort", onAbort);
  }
}

function listOf({ after, subject, limit }: Query) {
  return { limit, newest: after === undefined, ...(after === undefined ? {} : { after }), ...(subject === undefined ? {} : { subject }) };
}
