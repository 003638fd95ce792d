/** What is wrong with the settings, as text for the person who wrote them: path, line, and what was probably meant. */
import { closest, distance } from "fastest-levenshtein";
import { isNode, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { SpillwayError } from "../agent/contract/errors.ts";

/** Where the settings came from, so that an error can name the line. */
export interface SettingsSource {
  readonly file: string;
  readonly text: string;
  /** Path of the settings within the file, e.g. config → spillway:environment. */
  readonly at: readonly string[];
}

type Path = readonly (string | number)[];

/** Keys and values of the design that this version does not have yet: accepted silently they would be a lie. */
const laterTopLevel = ["roles", "burst", "upgrade", "volumes"];
const laterProviders = ["aws", "azure"];

/** Paths in the value that belong to a later version. */
export function laterKeys(value: unknown): Path[] {
  const found: Path[] = [];
  const settings = record(value);
  for (const key of laterTopLevel) if (key in settings) found.push([key]);
  const masters = record(settings.masters);
  if (typeof masters.count === "number" && masters.count > 1) found.push(["masters", "count"]);
  for (const [name, pool] of Object.entries(record(settings.pools)))
    if (laterProviders.includes(String(record(pool).provider))) found.push(["pools", name, "provider"]);
  return found;
}

export function settingsError(
  later: readonly Path[],
  error: z.ZodError | undefined,
  schema: z.ZodType,
  { value, source }: { readonly value: unknown; readonly source: SettingsSource | undefined },
): SpillwayError {
  const lineOf = lineFinder(source);
  const told: string[] = later.map((path) => `${pathText(path)}: not available in this version${lineOf(path)}`);
  // One problem is told once: under a key of a later version anything may stand.
  const covered = (path: Path) =>
    later.some((one) => startsWith(path, one) || (one.at(-1) === "provider" && startsWith(path, one.slice(0, -1))));
  for (const issue of error?.issues ?? []) {
    const path = issue.path as Path;
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        const whole = [...path, key];
        if (!covered(whole)) told.push(`${pathText(whole)}: ${unknownKey(key, keysAt(schema, path, value))}${lineOf(whole)}`);
      }
    } else if (!covered(path)) {
      told.push(`${pathText(path)}: ${issue.message}${lineOf(path)}`);
    }
  }
  return new SpillwayError(told.join("\n"), {
    code: "settings",
    where: source?.file ?? "settings",
    hint: "Nothing was changed. All settings: docs/settings.md",
  });
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = known.length === 0 ? undefined : closest(key, [...known]);
  return near !== undefined && distance(key, near) <= Math.max(2, key.length / 3)
    ? `there is no such key. Did you mean "${near}"?`
    : `there is no such key; there are: ${known.join(", ")}`;
}

/** The keys that the schema knows at this path; found by walking the JSON Schema made of it. */
function keysAt(schema: z.ZodType, path: Path, value: unknown): string[] {
  let at = record(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
  let written = value;
  for (const part of path) {
    const properties = record(at.properties);
    written = record(written)[part];
    at = branch(record(properties[String(part)] ?? at.additionalProperties ?? at.items), written);
  }
  return Object.keys(record(at.properties));
}

/** Of several shapes the one for the provider that is written there. */
function branch(schema: Record<string, unknown>, written: unknown): Record<string, unknown> {
  if (!Array.isArray(schema.oneOf)) return schema;
  const shapes = schema.oneOf.map(record);
  return shapes.find(({ properties }) => record(record(properties).provider).const === record(written).provider) ?? schema;
}

function lineFinder(source: SettingsSource | undefined): (path: Path) => string {
  if (source === undefined) return () => "";
  const counter = new LineCounter();
  const document = parseDocument(source.text, { lineCounter: counter });
  return (path) => {
    // A missing key has no line; the nearest thing that is there around it does.
    for (let length = path.length; length >= 0; length--) {
      const found = document.getIn([...source.at, ...path.slice(0, length)], true);
      if (isNode(found) && found.range !== undefined && found.range !== null) return `  (line ${counter.linePos(found.range[0]).line})`;
    }
    return "";
  };
}

/** `pools.rack.hosts[2].port` */
function pathText(path: Path): string {
  if (path.length === 0) return "spillway:environment";
  return path.map((part, index) => (typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${part}`)).join("");
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((part, index) => path[index] === part);
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
