/** Inputs and outputs as they travel between the engine and a provider. */
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import structProto from "google-protobuf/google/protobuf/struct_pb.js";
import { type Bag, type CheckFailure, type InputFact, type InputFacts, isUnknown } from "./input-facts.ts";

export function failureList(failures: readonly CheckFailure[]) {
  return failures.map(({ property, reason }) => {
    const failure = new providerProto.CheckFailure();
    failure.setProperty(property);
    failure.setReason(reason);
    return failure;
  });
}

/** Settings of a provider travel as strings; what the provider knows as something else is JSON. */
export function plainSettings(facts: InputFacts, settings: Bag): Bag {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, plainSetting(facts[name], value)]));
}

function plainSetting(fact: InputFact | undefined, value: unknown): unknown {
  if (typeof value !== "string" || isUnknown(value) || fact === undefined || fact.type === "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

export function structOf(bag: Bag) {
  // Through JSON: what is undefined goes, and the engine knows no such value.
  return structProto.Struct.fromJavaScript(JSON.parse(JSON.stringify(bag)));
}

export function bagOf(struct: { toJavaScript(): unknown } | undefined): Bag {
  return (struct?.toJavaScript() ?? {}) as Bag;
}
