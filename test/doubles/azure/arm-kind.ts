/**
 * A type of resource of azure-native, made from facts: which inputs it takes, where each stands in the request, and what comes
 * back. Create, read, update and delete are the same for all (pulumi/pulumi-azure-native, provider/pkg/provider/provider.go):
 * what exists already is not made; after each PUT the thing is read; what was taken on and failed is kept in the state.
 */
import type { Bag, InputFact, InputFacts } from "../input-facts.ts";
import { MadeButFailed, type ResourceKind } from "../plugin-server.ts";
import { AcceptedButFailed, type AzureContext, put, read, remove } from "./api.ts";

/** Of a thing whose own fields stand under `properties`, those that stand beside them; and the same of what is in it. */
export interface Shape {
  readonly beside: readonly string[];
  readonly inside?: Readonly<Record<string, Shape>>;
}

export interface ArmKindFacts {
  readonly source: string;
  /** That azure-native 3.28 uses ("Uses Azure REST API version …" in its docs). */
  readonly apiVersion: string;
  /** Inputs that stand in the id, and in no body. */
  readonly names: InputFacts;
  readonly inputs: InputFacts;
  readonly shape: Shape;
  readonly computed: readonly string[];
  /** Throws when it takes a name that only azure-native itself would make up. */
  readonly id: (inputs: Bag, subscription: string) => string;
  /** Of an id, those inputs: for what is imported. */
  readonly namesOf: (id: string) => Bag;
  /** A group shows its `properties` as they are. */
  readonly keepsProperties?: true;
  /** Where none is said, it is the provider's or the group's. */
  readonly hasLocation?: true;
  readonly alsoReplaces?: ResourceKind<AzureContext>["alsoReplaces"];
}

export const tags: InputFact = { type: "tags" };
export const location: InputFact = { type: "string", computed: true, replaces: true };
/** Of what is named by another's id. */
export const named: InputFact = { type: "object", of: { id: { type: "string", required: true } } };
export const groupName: InputFact = { type: "string", required: true, replaces: true };
/** azure-native makes up a name where none is said; the double wants it said. */
export const ownName: InputFact = { type: "string", replaces: true };

export function armKind(facts: ArmKindFacts): ResourceKind<AzureContext> {
  const { apiVersion, shape } = facts;
  const outputsOf = (found: Bag): Bag => {
    const { id: _id, ...rest } = facts.keepsProperties === true ? found : (flattened(found) as Bag);
    return { ...rest, azureApiVersion: apiVersion };
  };
  const bodyOf = async (inputs: Bag, context: AzureContext): Promise<Bag> => {
    const said = Object.fromEntries(Object.entries(inputs).filter(([name]) => !(name in facts.names)));
    if (facts.hasLocation === true) said.location ??= context.location ?? (await locationOfGroup(inputs, context));
    return nested(said, shape);
  };
  const present = async (id: string, context: AzureContext): Promise<Bag> => {
    const found = await read(id, apiVersion, context);
    if (found === undefined) throw new Error(`${id} was made, and is not there`);
    return outputsOf(found);
  };
  const write = async (id: string, inputs: Bag, context: AzureContext): Promise<Bag> => {
    try {
      await put(id, apiVersion, await bodyOf(inputs, context), context);
    } catch (cause) {
      if (!(cause instanceof AcceptedButFailed)) throw cause;
      throw new MadeButFailed(cause.message, { id, outputs: await present(id, context), cause });
    }
    return await present(id, context);
  };
  return {
    source: facts.source,
    inputs: { ...facts.names, ...facts.inputs },
    computed: ["name", "type", "azureApiVersion", ...facts.computed],
    ...(facts.alsoReplaces === undefined ? {} : { alsoReplaces: facts.alsoReplaces }),
    async create(inputs, context) {
      const id = facts.id(inputs, context.subscription);
      if ((await read(id, apiVersion, context)) !== undefined) throw new Error(`cannot create already existing resource '${id}'`);
      return { id, outputs: await write(id, inputs, context) };
    },
    async read(id, state, context) {
      const found = await read(id, apiVersion, context);
      if (found === undefined) return undefined;
      const isImport = Object.keys(state).every((name) => name === "id");
      return { ...outputsOf(found), ...(isImport ? facts.namesOf(id) : {}) };
    },
    async update(id, _state, wanted, _changed, context) {
      return await write(id, wanted, context);
    },
    async delete(id, _state, context) {
      await remove(id, apiVersion, context);
    },
  };
}

/** Of what is in a group: `resourceGroupName` and a name of its own. */
export function inGroup(type: string, nameInput: string) {
  return {
    names: { resourceGroupName: groupName, [nameInput]: ownName },
    id: (inputs: Bag, subscription: string) =>
      `/subscriptions/${subscription}/resourceGroups/${String(inputs.resourceGroupName)}/providers/${type}/${nameIn(inputs, nameInput)}`,
    namesOf: (id: string): Bag => ({ resourceGroupName: id.split("/")[4], [nameInput]: id.split("/").at(-1) }),
  } as const;
}

export function nameIn(inputs: Bag, name: string): string {
  if (typeof inputs[name] === "string" && inputs[name] !== "") return inputs[name];
  throw new Error(`the double of azure-native makes up no names: say ${name}`);
}

async function locationOfGroup(inputs: Bag, context: AzureContext): Promise<unknown> {
  const group = `/subscriptions/${context.subscription}/resourceGroups/${String(inputs.resourceGroupName)}`;
  const found = inputs.resourceGroupName === undefined ? undefined : await read(group, "2024-03-01", context);
  if (found === undefined)
    throw new Error('Status=400 Code="LocationRequired" Message="The location property is required for this definition."');
  return found.location;
}

/** The request that inputs make: all that does not stand beside stands under `properties`. */
function nested(inputs: Bag, { beside, inside = {} }: Shape): Bag {
  const [body, properties]: [Bag, Bag] = [{}, {}];
  for (const [name, value] of Object.entries(inputs)) {
    if (value === undefined || name.startsWith("__")) continue;
    const shape = inside[name];
    (beside.includes(name) ? body : properties)[name] = shape === undefined ? value : within(value, shape);
  }
  return Object.keys(properties).length === 0 ? body : { ...body, properties };
}

/** A shape without anything beside is no thing of its own, but holds some. */
function within(value: unknown, shape: Shape): unknown {
  if (Array.isArray(value)) return value.map((each) => within(each, shape));
  if (shape.beside.length > 0) return nested(value as Bag, shape);
  const entries = Object.entries(value as Bag);
  return Object.fromEntries(
    entries.map(([name, each]) => [name, shape.inside?.[name] === undefined ? each : within(each, shape.inside[name])]),
  );
}

/** The outputs that an answer makes: `properties` are gone, at every depth. */
function flattened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(flattened);
  if (typeof value !== "object" || value === null) return value;
  const { properties, ...rest } = value as Bag;
  const own = typeof properties === "object" && properties !== null ? (properties as Bag) : {};
  return Object.fromEntries(Object.entries({ ...rest, ...own }).map(([name, each]) => [name, flattened(each)]));
}
