/** How the doubles check and compare inputs. */
import { expect, test } from "vitest";
import { differences, type InputFacts, inputFailures, saidAgain, unknownValue } from "./input-facts.ts";

const facts: InputFacts = {
  image: { type: "string", required: true, replaces: true },
  size: { type: "number", computed: true },
  groups: { type: "strings", computed: true },
  tags: { type: "tags" },
  disk: {
    type: "object",
    of: { keep: { type: "boolean", default: true }, kind: { type: "string", computed: true, oneOf: ["fast", "slow"], replaces: true } },
  },
  rules: { type: "objects", of: { port: { type: "number", required: true }, from: { type: "strings" } } },
};
const state = { image: "a", size: 2, groups: ["g1", "g2"], tags: { a: "1" }, disk: { keep: true, kind: "fast", id: "v-1" }, rules: [] };

test("an input that is not known, missing or of another form is refused at any depth", () => {
  const failures = inputFailures(facts, { sise: 1, disk: { kind: "odd", colour: "red" }, rules: [{ from: "x" }] }, "a machine");
  expect(failures.map(({ property }) => property)).toEqual(["sise", "disk.kind", "disk.colour", "rules[0].from", "rules[0].port", "image"]);
  expect(inputFailures(facts, { image: unknownValue, rules: [unknownValue] }, "a machine")).toEqual([]);
});

test("what is not said is no difference where the cloud chooses", () => {
  expect(differences(facts, state, { image: "a" }, { image: "a" })).toEqual([]);
  expect(differences(facts, state, { image: "a", size: 2, disk: { kind: "fast" } }, { image: "a", disk: {} })).toEqual([]);
});

test("the order of names and of blocks is none", () => {
  const rules = [
    { port: 1, from: ["x"] },
    { port: 2, from: ["y"] },
  ];
  const wanted = { image: "a", groups: ["g2", "g1"], rules: rules.toReversed() };
  expect(differences(facts, { ...state, rules }, wanted, wanted)).toEqual([]);
});

test("what is said no longer is taken away, and what means another thing replaces", () => {
  const wanted = { image: "b", disk: { keep: false, kind: "slow" } };
  expect(differences(facts, state, { image: "a", tags: { a: "1" } }, wanted)).toEqual([
    { path: "image", replaces: true },
    { path: "tags", replaces: false },
    { path: "disk.keep", replaces: false },
    { path: "disk.kind", replaces: true },
  ]);
  expect(differences(facts, state, { image: "a" }, { image: unknownValue })).toEqual([{ path: "image", replaces: true }]);
});

test("a look at what is there changes what was said only where it differs", () => {
  const said = { image: "a", groups: ["g2", "g1"], disk: { kind: "slow" } };
  expect(saidAgain(facts, said, state)).toEqual({ image: "a", groups: ["g2", "g1"], disk: { kind: "fast" } });
});
