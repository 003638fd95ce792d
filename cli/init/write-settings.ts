/** Puts a new settings file in its place: checked first, and never over one that is there unless that is said. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { type Document, isMap, isScalar, parseDocument } from "yaml";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { parseSettings } from "../../stacks/settings.ts";

const ours = "spillway:environment";

/** Throws `settings` for what is no environment. */
export function checkSettings(file: string, text: string): void {
  const value = parseDocument(text).toJS().config[ours];
  parseSettings(value, { file: basename(file), text, at: ["config", ours] });
}

/**
 * Writes it. What else stands in a file that is written over stays: Pulumi keeps there what decrypts the stack's secrets.
 * Throws `already-there` without `force`, and `settings` for what is no environment; then nothing is written.
 */
export function writeSettings(file: string, text: string, { force }: { readonly force: boolean }): void {
  checkSettings(file, text);
  if (!existsSync(file)) return writeFileSync(file, text, { flag: "wx", mode: 0o644 });
  if (!force) {
    throw new SpillwayError(`${basename(file)} is there already`, {
      code: "already-there",
      where: file,
      hint: "Change it with an editor, or add --force: then the settings in it are lost.",
    });
  }
  writeFileSync(file, merged(parseDocument(readFileSync(file, "utf8")), text), { mode: 0o644 });
}

/** The new settings, with all that the old file holds beside them. */
function merged(old: Document, text: string): string {
  const fresh = parseDocument(text);
  const keyOf = (key: unknown) => String(isScalar(key) ? key.value : key);
  for (const { key, value } of isMap(old.contents) ? old.contents.items : []) if (keyOf(key) !== "config") fresh.set(keyOf(key), value);
  const config = old.get("config");
  for (const { key, value } of isMap(config) ? config.items : []) if (keyOf(key) !== ours) fresh.setIn(["config", keyOf(key)], value);
  return String(fresh);
}
