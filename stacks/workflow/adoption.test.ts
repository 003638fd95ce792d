import { describe, expect, test } from "vitest";
import type { PinLine } from "../../agent/contract/pins.ts";
import { type AdoptionInput, type Asked, adoptionOf } from "./adoption.ts";

const id = "11111111-1111-4111-8111-111111111111";

function asked(
  name: string,
  over: { id?: string | undefined; machine?: string; burst?: string; silent?: string } & Partial<Asked> = {},
): Asked {
  const { id: environmentId = id, machine = name, burst, silent, ...rest } = over;
  const identity = { environmentId, environment: "prod", machine, ...(burst === undefined ? {} : { burst }) };
  return {
    name,
    where: `machine ${name}`,
    isCarrier: name === "rack-1",
    onFailure: "stop",
    answer: silent === undefined ? { kind: "asked", identity } : { kind: "silent", why: silent },
    ...rest,
  };
}

const nobodys = (name: string): Asked => asked(name, { answer: { kind: "asked" } });
const pinned = (name: string): PinLine => ({ kind: "node", name, pool: "rack" });
const adoption = (machines: readonly Asked[], over: Partial<AdoptionInput> = {}) =>
  adoptionOf({ environment: "prod", asked: machines, pins: [pinned("rack-1"), pinned("rack-2")], begun: undefined, ...over });

describe("what can be adopted", () => {
  test("is the one environment that all machines name", () => {
    expect(adoption([asked("rack-1"), asked("rack-2"), nobodys("rack-3")])).toMatchObject({
      environmentId: id,
      adopted: ["rack-1", "rack-2"],
      fresh: ["rack-3"],
      missing: [],
      hasRecords: true,
    });
  });

  test("a machine that does not answer stops it, unless its pool goes on without", () => {
    expect(() => adoption([asked("rack-1"), asked("rack-2", { silent: "refused" })])).toThrow(
      /1 of 2 machines could not be asked[\s\S]*rack-2: refused/,
    );
    expect(adoption([asked("rack-1"), asked("rack-2", { silent: "refused", onFailure: "continue" })]).missing).toEqual([
      { where: "machine rack-2", why: "refused" },
    ]);
    expect(() => adoption([asked("rack-1", { silent: "refused", onFailure: "continue" }), asked("rack-2")])).toThrow(/could not be asked/);
  });

  test("machines of several environments are listed, and none is taken over", () => {
    const error = () => adoption([asked("rack-1"), asked("rack-2", { id: "another" })]);
    expect(error).toThrow(/belong to 2 environments:\n- 1{8}.*: machine rack-1\n- another .*: machine rack-2/);
  });

  test("machines that are nobody's are nothing to adopt", () => {
    expect(() => adoption([nobodys("rack-1"), nobodys("rack-2")])).toThrow(/nothing to adopt/);
  });

  test("a machine under another name than it had would be another node", () => {
    expect(() => adoption([asked("rack-1"), asked("rack-2", { machine: "rack-9" })])).toThrow(/rack-2 was rack-9: write name: rack-9/);
    expect(() => adoption([asked("rack-1"), asked("rack-2", { machine: "b-1-1", burst: "b-1" })])).toThrow(/of the burst b-1/);
  });

  test("a stack that was begun for it is gone on with, one that a useless up has begun is taken away, one with nodes is in the way", () => {
    expect(adoption([asked("rack-1")], { begun: { environmentId: id, hasRoles: true } }).supersedes).toBe(false);
    expect(adoption([asked("rack-1")], { begun: { environmentId: "another", hasRoles: false } }).supersedes).toBe(true);
    expect(() => adoption([asked("rack-1")], { begun: { environmentId: "another", hasRoles: true } })).toThrow(
      /stack of another environment/,
    );
  });
});

describe("what the master's records tell", () => {
  test("nodes that no settings name, and bursts", () => {
    const burst: PinLine = { kind: "burst", id: "b-1", state: "live", nodes: ["b-1-1"], hourly: 0.2 };
    const found = adoption([asked("rack-1")], {
      pins: [pinned("rack-1"), pinned("old-7"), { ...pinned("b-1-1"), kind: "node", name: "b-1-1", pool: "spare", burst: "b-1" }, burst],
    });
    expect(found.unnamed).toEqual(["old-7"]);
    expect(found.bursts).toEqual([burst]);
  });

  test("they are gone with the disk of the master's machine, and not known of a version that can't tell", () => {
    expect(adoption([nobodys("rack-1"), asked("rack-2")], { pins: undefined }).hasRecords).toBe(false);
    expect(adoption([asked("rack-1")], { pins: [] }).hasRecords).toBe(false);
    expect(adoption([asked("rack-1")], { pins: undefined }).hasRecords).toBeUndefined();
  });
});
