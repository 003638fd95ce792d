import { expect, it } from "vitest";
import { z } from "zod";
import { type AnyHandler, changedKeys, PartlyDone, providerOf, withoutMarks, withSecretMarks } from "./rpc.ts";

const secretOf = (value: unknown) => ({ "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", value });
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const urn = "urn:pulumi:local::spillway::spillway:index:Environment$spillway:index:Thing::thing";

function aProvider(over: Partial<AnyHandler> = {}) {
  const handler: AnyHandler = {
    inputs: z.object({ name: z.string(), password: z.string(), size: z.number().default(1) }),
    outputs: z.object({ health: z.string() }),
    secrets: ["password"],
    replaceOn: ["name"],
    needsMending: (state: { health: string }) => state.health !== "ok",
    create: async () => ({ id: "thing-1", outputs: { health: "ok" } }),
    read: async () => ({ health: "ok" }),
    update: async () => ({ health: "ok" }),
    delete: async () => undefined,
    ...over,
  };
  const told: string[] = [];
  const statusLine = { tell: (_urn: string, text: string) => void told.push(text) };
  return {
    provider: providerOf({ version: "1.0.0", handlers: { "spillway:index:Thing": handler }, statusLine, changeLog: () => undefined }),
    told,
  };
}

it("takes the engine's marks off at any depth", () => {
  expect(withoutMarks({ a: secretOf("x"), b: [secretOf({ c: secretOf(1) })] })).toEqual({ a: "x", b: [{ c: 1 }] });
});

it("marks secrets in everything it gives the engine to store", async () => {
  const { provider } = aProvider();
  const made = await provider.create?.(urn, { name: "n", password: secretOf("hush") });
  expect(made).toEqual({ id: "thing-1", outs: { name: "n", password: secretOf("hush"), size: 1, health: "ok" } });
  const read = await provider.read?.("thing-1", urn, made?.outs);
  expect(read?.props).toMatchObject({ password: secretOf("hush") });
  expect(withSecretMarks({ a: 1, b: undefined }, ["a"])).toEqual({ a: secretOf(1) });
});

it("sees no difference where a default was filled in, and one where a value has changed", async () => {
  const { provider } = aProvider();
  const olds = { name: "n", password: "p", size: 1, health: "ok" };
  expect(await provider.diff?.("id", urn, olds, { name: "n", password: secretOf("p") })).toMatchObject({ changes: false, replaces: [] });
  expect(await provider.diff?.("id", urn, olds, { name: "n", password: "q" })).toMatchObject({ changes: true, replaces: [] });
  expect(await provider.diff?.("id", urn, olds, { name: "other", password: "p" })).toMatchObject({ changes: true, replaces: ["name"] });
});

it("takes a value that is not known yet for a change", () => {
  expect(changedKeys(["a", "b"], { a: 1, b: 2 }, { a: unknown, b: 2 })).toEqual(["a"]);
});

it("sees a key that is no longer wanted", () => {
  expect(changedKeys(["a", "b"], { a: 1, b: 2 }, { a: 1 })).toEqual(["b"]);
});

it("mends what was found broken though no input changed", async () => {
  const { provider } = aProvider();
  const broken = { name: "n", password: "p", size: 1, health: "gone" };
  expect(await provider.diff?.("id", urn, broken, { name: "n", password: "p" })).toMatchObject({ changes: true });
});

it("tells the engine that a resource is gone", async () => {
  const { provider } = aProvider({ read: async () => undefined });
  expect(await provider.read?.("id", urn, { name: "n", password: "p", health: "ok" })).toEqual({ id: "", props: {} });
});

it("hands errors on as text for a person, without a trace", async () => {
  const { provider } = aProvider({
    create: async () => {
      throw new Error("the disk is full");
    },
  });
  await expect(provider.create?.(urn, { name: "n", password: "p" })).rejects.toMatchObject({ message: "the disk is full", stack: "" });
});

it("names the field of a wrong input in check", async () => {
  const { provider } = aProvider();
  const checked = await provider.check?.(urn, {}, { name: 5, password: "p" });
  expect(checked?.failures).toEqual([{ property: "name", reason: expect.stringContaining("expected string") }]);
  expect((await provider.check?.(urn, {}, { name: unknown, password: "p" }))?.failures).toBeUndefined();
});

it("has what was done of a step recorded, and the step failed all the same", async () => {
  const partly = async () => {
    throw new PartlyDone(new Error("2 of 3 were moved"), { id: "thing-1", outputs: { health: "broken" } });
  };
  const { provider } = aProvider({ create: partly, update: partly });
  const news = { name: "n", password: secretOf("hush") };
  const recorded = {
    message: "2 of 3 were moved",
    stack: "",
    id: "thing-1",
    properties: { name: "n", password: secretOf("hush"), size: 1, health: "broken" },
    reasons: ["2 of 3 were moved"],
  };
  await expect(provider.create?.(urn, news)).rejects.toMatchObject(recorded);
  await expect(provider.update?.("thing-1", urn, { ...news, health: "ok" }, news)).rejects.toMatchObject(recorded);
});

it("does not take a change for a difference in an input that is ignored, and takes for one what its handler finds due", async () => {
  const isDue: AnyHandler["isDue"] = (state, inputs, tell) => {
    tell(`${state.health} → ${inputs.size}`);
    return inputs.size > 2;
  };
  const { provider, told } = aProvider({ ignored: ["size"], isDue });
  const olds = { name: "n", password: "p", size: 1, health: "ok" };
  const diff = (size: number) => provider.diff?.("id", urn, olds, { name: "n", password: "p", size });
  expect(await diff(2)).toMatchObject({ changes: false });
  expect(await diff(3)).toMatchObject({ changes: true });
  expect(told).toEqual(["ok → 2", "ok → 3"]);
});
