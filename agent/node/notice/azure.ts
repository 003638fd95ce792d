/**
 * What Azure announces of a VM as Scheduled Events. Events of other VMs of the same availability or scale set are told too,
 * so each is looked at by the VM's own name. Forms, times and the delay of the first answer are those of Azure's "Scheduled
 * Events for Linux VMs"; the name is that of "Azure Instance Metadata Service", compute/name.
 */
import { z } from "zod";
import type { NodeNotice } from "../../contract/node.ts";
import { askMetadata, metadataAddress, readAnswer, unexpectedStatus } from "./metadata.ts";
import type { NoticeSource } from "./source.ts";

export const azurePaths = {
  name: "/metadata/instance/compute/name?api-version=2021-02-01&format=text",
  events: "/metadata/scheduledevents?api-version=2020-07-01",
} as const;

/** A spot VM is told 30 s ahead, at the least. */
const pollMs = 2000;
const timeoutMs = 5000;
/** "You should expect a delayed response in your first call of up to two minutes." */
const firstTimeoutMs = 130_000;
/**
 * How long before a reboot or a move to another host it begins to matter: that is the least notice of a reboot. Hosts that are
 * about to fail are told days ahead, and until then the machine is as good as any.
 */
const maintenanceLeadMs = 15 * 60_000;
const maxTextLength = 256;

const document = z.object({
  Events: z.array(
    z.object({
      EventId: z.string(),
      EventType: z.string(),
      Resources: z.array(z.string()),
      EventStatus: z.string().optional(),
      NotBefore: z.string().optional(),
      Description: z.string().optional(),
    }),
  ),
});
type ScheduledEvent = z.infer<typeof document>["Events"][number];

export interface FoundEvent {
  readonly eventId: string;
  readonly notice: NodeNotice;
}

export function azureNotices(address = metadataAddress): NoticeSource {
  const headers = { Metadata: "true" };
  let name: string | undefined;
  let isEnabled = false;
  let last: FoundEvent | undefined;

  async function get(path: string, limitMs: number, signal: AbortSignal): Promise<string> {
    const answer = await askMetadata(address, { path, headers, timeoutMs: limitMs, signal });
    if (answer.status !== 200) throw unexpectedStatus(path, answer);
    return answer.body;
  }

  return {
    name: "Azure instance metadata",
    pollMs,
    async ask(now, signal) {
      name ??= (await get(azurePaths.name, timeoutMs, signal)).trim();
      const body = await get(azurePaths.events, isEnabled ? timeoutMs : firstTimeoutMs, signal);
      isEnabled = true;
      last = parseScheduledEvents(body, { name, now, last });
      return last?.notice ?? null;
    },
  };
}

/**
 * What counts for the VM `name` at `now` (ms since the epoch); of several the one that takes it away, then the earliest.
 * `last` is the former answer: an event that has begun no longer says when. Throws on a form that is not the documented one.
 *
 * Preempt and Terminate delete the VM. Reboot and Redeploy end what runs on it, but it comes back. Freeze halts it for some
 * seconds and loses nothing, so it does not count.
 */
export function parseScheduledEvents(
  body: string,
  { name, now, last }: { readonly name: string; readonly now: number; readonly last?: FoundEvent | undefined },
): FoundEvent | undefined {
  const own = name.toLowerCase();
  const found = readAnswer(document, body, azurePaths.events)
    .Events.filter(({ Resources }) => Resources.some((resource) => resource.toLowerCase() === own))
    .flatMap((event) => noticeOf(event, now, last) ?? []);
  return found.toSorted((a, b) => rank(a) - rank(b) || a.notice.at - b.notice.at)[0];
}

function noticeOf(event: ScheduledEvent, now: number, last: FoundEvent | undefined): FoundEvent | undefined {
  const { EventId: eventId, EventType } = event;
  const what = effects[EventType];
  if (what === undefined) return undefined;
  const at = timeOf(event) ?? (last?.eventId === eventId ? last.notice.at : now);
  if (what.kind === "rebalance" && at - now > maintenanceLeadMs) return undefined;
  const described = event.Description === undefined || event.Description === "" ? "" : `: ${event.Description}`;
  return { eventId, notice: { kind: what.kind, at, text: `${what.text} (${EventType})${described}`.slice(0, maxTextLength) } };
}

const effects: Readonly<Record<string, Pick<NodeNotice, "kind" | "text">>> = {
  Preempt: { kind: "reclaim", text: "Azure takes this spot VM back" },
  Terminate: { kind: "reclaim", text: "this VM is about to be deleted" },
  Reboot: { kind: "rebalance", text: "this VM is about to be rebooted" },
  Redeploy: { kind: "rebalance", text: "Azure is about to move this VM to another host" },
};

/** `Mon, 19 Sep 2016 18:29:47 GMT`; empty once the event has begun. */
function timeOf({ NotBefore }: ScheduledEvent): number | undefined {
  const at = Date.parse(NotBefore ?? "");
  return Number.isNaN(at) ? undefined : at;
}

function rank({ notice }: FoundEvent): number {
  return notice.kind === "reclaim" ? 0 : 1;
}
