import { describe, expect, test } from "vitest";
import { parseScheduledEvents } from "./azure.ts";

const notBefore = "Mon, 19 Sep 2022 18:29:47 GMT";
const at = Date.UTC(2022, 8, 19, 18, 29, 47);
const now = at - 30_000;

/** In the form of "Scheduled Events for Linux VMs", api-version 2020-07-01. */
function documentOf(...events: readonly Record<string, unknown>[]): string {
  const all = events.map((event) => ({
    EventId: "C7061BAC-AFDC-4513-B24B-AA5F13A16123",
    EventStatus: "Scheduled",
    EventType: "Preempt",
    ResourceType: "VirtualMachine",
    Resources: ["spillway-b-1-1"],
    NotBefore: notBefore,
    Description: "",
    EventSource: "Platform",
    DurationInSeconds: -1,
    ...event,
  }));
  return JSON.stringify({ DocumentIncarnation: 1, Events: all });
}

const found = (body: string, more: Partial<Parameters<typeof parseScheduledEvents>[1]> = {}) =>
  parseScheduledEvents(body, { name: "spillway-b-1-1", now, ...more });

describe("what Azure says", () => {
  test("without an event nothing is announced", () => {
    expect(found('{"DocumentIncarnation":0,"Events":[]}')).toBeUndefined();
  });

  test("a spot VM that is preempted is reclaimed, not before the time that is named", () => {
    expect(found(documentOf({}))?.notice).toEqual({ kind: "reclaim", at, text: "Azure takes this spot VM back (Preempt)" });
  });

  test("a VM that is to be deleted is reclaimed too, and the cloud's own words are told", () => {
    expect(found(documentOf({ EventType: "Terminate", EventSource: "User", Description: "Scale set instance deletion" }))?.notice).toEqual({
      kind: "reclaim",
      at,
      text: "this VM is about to be deleted (Terminate): Scale set instance deletion",
    });
  });

  test.each(["Preempt", "Terminate", "Reboot", "Redeploy"])("a %s of another VM is none of ours", (EventType) => {
    expect(found(documentOf({ EventType, Resources: ["spillway-b-1-11", "spillway-b-1"] }))).toBeUndefined();
  });

  test("names of VMs are the same in capitals", () => {
    expect(found(documentOf({ Resources: ["other", "Spillway-B-1-1"] }))).toBeDefined();
  });

  test.each(["Reboot", "Redeploy"])("a %s is an advice, from 15 minutes before it on", (EventType) => {
    const body = documentOf({ EventType });
    expect(found(body, { now: at - 15 * 60_000 })?.notice).toMatchObject({ kind: "rebalance", at });
    expect(found(body, { now: at - 7 * 86_400_000 })).toBeUndefined();
  });

  test.each(["Freeze", "SomethingNew"])("a %s does not count", (EventType) => {
    expect(found(documentOf({ EventType }))).toBeUndefined();
  });

  test("of several events the one that takes the VM away counts, then the earliest", () => {
    const earlier = "Mon, 19 Sep 2022 18:29:40 GMT";
    const body = documentOf(
      { EventId: "reboot", EventType: "Reboot", NotBefore: earlier },
      { EventId: "later" },
      { EventId: "first", NotBefore: earlier },
    );
    expect(found(body)).toMatchObject({ eventId: "first", notice: { kind: "reclaim", at: at - 7000 } });
  });

  test("an event that has begun keeps its time, though Azure no longer tells it", () => {
    const begun = documentOf({ EventStatus: "Started", NotBefore: "" });
    const last = found(documentOf({}));
    expect(found(begun, { now: at + 5000, last })).toEqual(last);
    expect(found(begun, { now: at + 5000 })?.notice.at).toBe(at + 5000);
  });

  test.each(["", "{}", '{"Events":[{"EventType":"Preempt"}]}'])("%j is no answer", (body) => {
    expect(() => found(body)).toThrow("not the documented one");
  });
});
