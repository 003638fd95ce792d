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

export type Path = readonly (string | number)[];

/** Keys of the design that this version does not have yet: accepted silently they would be a lie. */
const laterTopLevel = ["roles", "volumes"];

/** Paths in the value that belong to a later version. */
export function laterKeys(value: unknown): Path[] {
  const found: Path[] = [];
  const settings = record(value);
  for (const key of laterTopLevel) if (key in settings) found.push([key]);
  const masters = record(settings.masters);
  if (typeof masters.count === "number" && masters.count > 1) found.push(["masters", "count"]);
  const burst = record(settings.burst);
  if ("repatriate" in record(burst.retire)) found.push(["burst", "retire", "repatriate"]);
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
        if (!covered(whole))
          told.push(`${pathText(whole)}: ${noneNamed("there is no such key", key, keysAt(schema, path, value))}${lineOf(whole)}`);
      }
    } else if (!covered(path)) {
      told.push(`${pathText(path)}: ${problemOf(issue, () => schemaAt(schema, path, value), value)}${lineOf(path)}`);
    }
  }
  return new SpillwayError(told.join("\n"), {
    code: "settings",
    where: source?.file ?? "settings",
    hint: "Nothing was changed. All settings: docs/settings.md",
  });
}

/** `problem`, and the one that was probably meant, or all there are. */
export function noneNamed(problem: string, written: string, known: readonly string[]): string {
  const near = known.length === 0 ? undefined : closest(written, [...known]);
  return near !== undefined && distance(written, near) <= Math.max(2, written.length / 3)
    ? `${problem}. Did you mean "${near}"?`
    : `${problem}; there are: ${known.join(", ")}`;
}

/** zod's words, where they are a person's; what is missing is told by what it would be. */
function problemOf(issue: z.core.$ZodIssue, at: () => Record<string, unknown>, value: unknown): string {
  if (issue.code === "invalid_key") return issue.issues.map(({ message }) => message).join("; ");
  const isMissing = ["invalid_type", "invalid_union"].includes(issue.code) && valueAt(value, issue.path as Path) === undefined;
  if (!isMissing) return issue.message;
  const { description } = at();
  return typeof description === "string" ? `is missing: ${description}` : "is missing";
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, part) => record(at)[part], value);
}

/** The keys that the schema knows at this path. */
function keysAt(schema: z.ZodType, path: Path, value: unknown): string[] {
  return Object.keys(record(schemaAt(schema, path, value).properties));
}

/** What the JSON Schema made of the schema says at this path. */
function schemaAt(schema: z.ZodType, path: Path, value: unknown): Record<string, unknown> {
  let at = record(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
  let written = value;
  for (const part of path) {
    const properties = record(at.properties);
    written = record(written)[part];
    at = branch(record(properties[String(part)] ?? at.additionalProperties ?? at.items), written);
  }
  return at;
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
export function pathText(path: Path): string {
  if (path.length === 0) return "spillway:environment";
  return path.map((part, index) => (typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${part}`)).join("");
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((part, index) => path[index] === part);
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
