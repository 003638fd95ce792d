import { describe, expect, test } from "vitest";
import type { BurstRow, BurstState } from "../../agent/contract/ledger.ts";
import { type Comparable, compare, type FoundMachine, type FoundThing } from "./compare.ts";

const aRow = (id: string, state: BurstState, nodes = [`${id}-1`]): BurstRow => ({
  id,
  state,
  nodes,
  offer: "overflow/local",
  burstPool: "overflow",
  provider: "local",
  market: "on-demand",
  shape: { cpu: 2000, memory: 4096, disk: 0, gpus: [] },
  hourly: 0.1,
  committed: 0,
  rule: 1,
  priority: 50,
  for: [{ job: "j", tasks: 1 }],
  reason: "the pool is full",
  why: "the pool is full",
  launchTimeoutMs: 30_000,
  teardownMs: 30_000,
  expiresAt: 0,
  at: {},
  joined: {},
  seconds: {},
});
const aMachine = (burst: string, number = 1, rest: Partial<FoundMachine> = {}): FoundMachine => ({
  providerId: `local-${burst}-${number}`,
  node: `${burst}-${number}`,
  burst,
  status: "running",
  isKept: false,
  ...rest,
});
const aStack = (burst: string, providerIds = [`local-${burst}-1`]) => ({ burst, providerIds });
const at = (given: Partial<Comparable>): Comparable => ({
  rows: [],
  stacks: [],
  machines: [],
  busy: new Set(),
  ledgerIsNew: false,
  unaskedOffers: new Set(),
  things: [],
  ...given,
});
const kinds = (given: Partial<Comparable>) =>
  compare(at(given)).map(({ kind, burst, onlyTold }) => `${kind} ${burst}${onlyTold ? " (told)" : ""}`);

describe("ledger, stacks and providers", () => {
  test("that agree leave nothing to say", () => {
    for (const state of ["launching", "live", "draining", "retiring"] as const) {
      expect(kinds({ rows: [aRow("b-1", state)], stacks: [aStack("b-1")], machines: [aMachine("b-1")] })).toEqual([]);
    }
    expect(kinds({ rows: [aRow("b-1", "intent")] })).toEqual([]);
  });

  test("find a machine of no burst, and a stack of none", () => {
    expect(kinds({ machines: [aMachine("b-1")] })).toEqual(["unknown-machine b-1"]);
    expect(kinds({ rows: [aRow("b-1", "intent")], machines: [aMachine("b-1")] })).toEqual(["unknown-machine b-1"]);
    expect(kinds({ stacks: [aStack("b-1", [])] })).toEqual(["unknown-stack b-1"]);
  });

  test("find a machine that its provider has switched off or lost", () => {
    expect(kinds({ rows: [aRow("b-1", "live")], stacks: [aStack("b-1")] })).toEqual(["lost-machine b-1"]);
    expect(kinds({ rows: [aRow("b-1", "draining")], machines: [aMachine("b-1", 1, { status: "stopped" })] })).toEqual(["lost-machine b-1"]);
    expect(kinds({ rows: [aRow("b-1", "live", ["b-1-1", "b-1-2"])], machines: [aMachine("b-1")] })).toEqual(["lost-machine b-1"]);
  });

  test("do not take for lost what could not be asked, nor what is being launched or destroyed", () => {
    expect(kinds({ rows: [aRow("b-1", "live")], unaskedOffers: new Set(["overflow/local"]) })).toEqual([]);
    expect(kinds({ rows: [aRow("b-1", "live")], busy: new Set(["b-1"]) })).toEqual([]);
    expect(kinds({ rows: [aRow("b-1", "launching"), aRow("b-2", "retiring")] })).toEqual([]);
  });

  test("find the second machine of a node: the one that no stack holds", () => {
    const machines = [aMachine("b-1"), aMachine("b-1", 1, { providerId: "local-other" })];
    const [finding] = compare(at({ rows: [aRow("b-1", "live")], stacks: [aStack("b-1")], machines }));
    expect(finding).toMatchObject({ kind: "second-machine", providerIds: ["local-other"], onlyTold: false });
  });

  test("say what is leaked", () => {
    expect(kinds({ rows: [aRow("b-1", "leaked")], machines: [aMachine("b-1")], stacks: [aStack("b-1")] })).toEqual(["leaked b-1"]);
  });
});

describe("what a cloud lists beside machines", () => {
  const aThing = (burst: string, over: Partial<FoundThing> = {}) => ({ id: `disk-${burst}`, kind: "disk", burst, ...over });

  test("belongs to nobody when its burst is not in the ledger, or has ended there", () => {
    for (const rows of [[], [aRow("b-1", "gone")], [aRow("b-1", "intent")]]) {
      const [finding, ...others] = compare(at({ rows, things: [aThing("b-1", { hourly: 0.002 })] }));
      expect(finding).toEqual({
        kind: "unknown-thing",
        key: "thing disk-b-1",
        burst: "b-1",
        providerIds: ["disk-b-1"],
        found: "the disk disk-b-1 of b-1 is there and costs 0.002 USD/hour, and the ledger has no such burst",
        onlyTold: false,
      });
      expect(others).toEqual([]);
    }
  });

  test("says nothing of a price where there is none", () => {
    const [finding] = compare(at({ things: [aThing("b-1", { kind: "interface" })] }));
    expect(finding?.found).toBe("the interface disk-b-1 of b-1 is there, and the ledger has no such burst");
  });

  test("is somebody's as long as its burst is on the way, there, on its way out, or leaked", () => {
    for (const state of ["launching", "live", "draining", "retiring", "leaked"] as const) {
      const found = compare(at({ rows: [aRow("b-1", state)], machines: [aMachine("b-1")], things: [aThing("b-1")] }));
      expect(found.filter(({ kind }) => kind === "unknown-thing")).toEqual([]);
    }
  });

  test("waits while its burst is being launched or destroyed, and while a machine is there that may take it along", () => {
    expect(kinds({ things: [aThing("b-1")], busy: new Set(["b-1"]) })).toEqual([]);
    expect(kinds({ things: [aThing("b-1"), aThing("b-2")], machines: [aMachine("b-1")] })).toEqual([
      "unknown-machine b-1",
      "unknown-thing b-2",
    ]);
  });

  test("is only told when the ledger is a new one or can't be read", () => {
    expect(kinds({ things: [aThing("b-1")], ledgerIsNew: true })).toEqual(["unknown-thing b-1 (told)"]);
    expect(kinds({ things: [aThing("b-1")], rows: undefined })).toEqual(["unknown-thing b-1 (told)"]);
  });
});

describe("what is unknown is only told, not ended,", () => {
  test("when the ledger is a new one or can't be read", () => {
    expect(kinds({ machines: [aMachine("b-1")], stacks: [aStack("b-1")], ledgerIsNew: true })).toEqual([
      "unknown-machine b-1 (told)",
      "unknown-stack b-1 (told)",
    ]);
    expect(kinds({ rows: undefined, machines: [aMachine("b-1")] })).toEqual(["unknown-machine b-1 (told)"]);
  });

  test("when it is more than two machines and a fifth of all that are tagged", () => {
    const three = [1, 2, 3].map((number) => aMachine(`b-${number}`));
    expect(kinds({ machines: three })).toEqual(three.map(({ burst }) => `unknown-machine ${burst} (told)`));
    const owned = Array.from({ length: 12 }, (_, number) => `b-x${number}`);
    const many = [...three, ...owned.map((burst) => aMachine(burst))];
    expect(kinds({ rows: owned.map((id) => aRow(id, "live")), machines: many })).toEqual(
      three.map(({ burst }) => `unknown-machine ${burst}`),
    );
  });

  test("and four machines of one burst whose row is launching are not unknown at all", () => {
    const nodes = [1, 2, 3, 4].map((number) => `b-1-${number}`);
    const machines = [1, 2, 3, 4].map((number) => aMachine("b-1", number));
    expect(kinds({ rows: [aRow("b-1", "launching", nodes)], machines })).toEqual([]);
  });
});
