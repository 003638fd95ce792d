import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PoolEvent } from "../../contract/api.ts";
import { openJournal, skipAfterCrash } from "./journal.ts";

describe("the journal", () => {
  let directory: string;
  const lines: string[] = [];
  const log = (_level: string, _who: string, message: string) => void lines.push(message);
  const open = (options = {}) => openJournal(join(directory, "journal.db"), log, options);
  const anEvent = (fields: Partial<PoolEvent> = {}) => ({ at: 1, kind: "k", subject: "s", message: "m", data: {}, ...fields });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "spillway-journal-"));
    lines.length = 0;
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test("events get growing numbers that go on after it was opened again", () => {
    const journal = open();
    expect(journal.append(anEvent()).seq).toBe(1);
    expect(journal.append(anEvent({ data: { node: "m1" } })).seq).toBe(2);
    journal.close();
    const again = open();
    expect(again.lastSeq()).toBe(2);
    expect(again.append(anEvent()).seq).toBe(3);
    expect(again.list({ limit: 10 })).toMatchObject([{ seq: 1 }, { seq: 2, data: { node: "m1" } }, { seq: 3 }]);
    again.close();
  });

  test("after a crash no number is given twice, and what was kept stays", async () => {
    const journal = open({ maxEvents: 100 });
    journal.append(anEvent());
    journal.list({ limit: 1 });
    const told = journal.append(anEvent()).seq;
    // What a killed process leaves: the files as they are, without what was still in memory.
    for (const end of ["", "-wal"]) await copyFile(join(directory, `journal.db${end}`), join(directory, `crashed.db${end}`));
    journal.close();
    const again = openJournal(join(directory, "crashed.db"), log, { maxEvents: 100 });
    expect(again.append(anEvent()).seq).toBe(1 + skipAfterCrash + 1);
    expect(1 + skipAfterCrash).toBeGreaterThan(told);
    expect(again.list({ limit: 10 }).map(({ seq }) => seq)).toEqual([1, skipAfterCrash + 2]);
    again.close();
    const clean = openJournal(join(directory, "crashed.db"), log);
    expect(clean.append(anEvent()).seq).toBe(skipAfterCrash + 3);
    clean.close();
  });

  test("it is listed from a number on, by subject, or from its end", () => {
    const journal = open();
    for (let n = 1; n <= 10; n += 1) journal.append(anEvent({ subject: n % 2 === 0 ? "even" : "odd" }));
    const numbers = (query: Parameters<typeof journal.list>[0]) => journal.list(query).map(({ seq }) => seq);
    expect(numbers({ after: 7, limit: 2 })).toEqual([8, 9]);
    expect(numbers({ subject: "even", limit: 3 })).toEqual([2, 4, 6]);
    expect(numbers({ limit: 3, newest: true })).toEqual([8, 9, 10]);
    expect(numbers({ subject: "odd", limit: 2, newest: true })).toEqual([7, 9]);
    journal.close();
  });

  test("it keeps the newest events only", () => {
    const journal = open({ maxEvents: 100 });
    for (let n = 0; n < 2500; n += 1) {
      journal.append(anEvent());
      if (n % 100 === 0) journal.list({ limit: 1 });
    }
    const kept = journal.list({ limit: 10_000 });
    expect(kept.at(-1)?.seq).toBe(2500);
    expect(kept.length).toBeLessThanOrEqual(100 + 1100);
    journal.close();
  });

  test("followers get each new event until they leave", () => {
    const journal = open();
    const seen: number[] = [];
    const leave = journal.follow(({ seq }) => void seen.push(seq));
    journal.append(anEvent());
    journal.append(anEvent());
    leave();
    journal.append(anEvent());
    expect(seen).toEqual([1, 2]);
    journal.close();
  });

  test("a full disk is told once, costs events at most, and never throws", () => {
    const journal = open({ maxPages: 20 });
    for (let n = 0; n < 20; n += 1) {
      journal.append(anEvent({ message: "x".repeat(20_000) }));
      journal.list({ limit: 1 });
    }
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("the disk is full");
    expect(journal.list({ limit: 1000 }).at(-1)?.seq).toBe(20);
    journal.close();
  });
});
