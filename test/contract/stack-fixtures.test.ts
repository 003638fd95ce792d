/** Stacks as former versions stored them: this version reads every resource, and would replace none. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { handlers } from "../../stacks/plugin/handlers.ts";
import { providerOf } from "../../stacks/plugin/rpc.ts";

const fixtures = join(import.meta.dirname, "../fixtures");
const provider = providerOf({ version: "0.0.0", handlers, statusLine: { tell: () => undefined }, changeLog: () => undefined });

interface StoredResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs: Record<string, unknown>;
  readonly outputs: Record<string, unknown>;
}

/** The export holds secrets encrypted; what they were does not matter here, only that there is a text. */
function decrypted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decrypted);
  if (typeof value !== "object" || value === null) return value;
  if ("ciphertext" in value) return "a secret";
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, decrypted(inner)]));
}

/** Of the environment's stack, from 0.3 on of a burst's, and from 0.5 on of an environment with machines in clouds. */
function storedBy(version: string): StoredResource[] {
  const files = ["stack-export.json", "burst-stack-export.json", "cloud-stack-export.json"]
    .map((name) => join(fixtures, version, name))
    .filter((file) => existsSync(file));
  return files.flatMap((file) => {
    const { deployment } = JSON.parse(readFileSync(file, "utf8")) as { deployment: { resources: StoredResource[] } };
    return deployment.resources.filter(({ type, id }) => type.startsWith("spillway:index:") && id !== undefined);
  });
}

/** Of which no version that is out has a stack yet. */
const newInThisVersion: readonly string[] = [];

it("the stored stacks together hold a resource of every type that is not new", () => {
  const types = new Set(readdirSync(fixtures).flatMap((version) => storedBy(version).map(({ type }) => type)));
  expect([...types, ...newInThisVersion].sort()).toEqual(Object.keys(handlers).sort());
});

describe.each(readdirSync(fixtures))("the stack of %s", (version) => {
  it.each(storedBy(version).map((resource) => ({ ...resource, name: resource.urn.split("::").at(-1) })))(
    "$name would not be replaced",
    async ({ urn, id, inputs, outputs }) => {
      const diff = await provider.diff?.(id ?? "", urn, decrypted(outputs), decrypted(inputs));
      expect(diff).toMatchObject({ changes: false, replaces: [] });
    },
  );
});
