/** Where in a settings file something stands, for a person who is to change it. */
import { existsSync, readFileSync } from "node:fs";
import { isNode, LineCounter, parseDocument } from "yaml";
import { settingsFile } from "../state-layout.ts";

/** The line (from 1) of the value at this path below `spillway:environment`; undefined when it is not there. */
export function settingsLine(environment: string, path: readonly (string | number)[]): number | undefined {
  const file = settingsFile(environment);
  if (!existsSync(file)) return undefined;
  const counter = new LineCounter();
  const document = parseDocument(readFileSync(file, "utf8"), { lineCounter: counter });
  const found = document.getIn(["config", "spillway:environment", ...path], true);
  return isNode(found) && found.range ? counter.linePos(found.range[0]).line : undefined;
}

/** The value as it is written at this path below `spillway:environment`; undefined when it is not there. */
export function settingsValue(environment: string, path: readonly (string | number)[]): unknown {
  const file = settingsFile(environment);
  if (!existsSync(file)) return undefined;
  const document = parseDocument(readFileSync(file, "utf8"));
  const found = document.getIn(["config", "spillway:environment", ...path], true);
  return isNode(found) ? found.toJS(document) : undefined;
}
