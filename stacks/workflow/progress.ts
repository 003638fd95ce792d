/** Engine events → what a person reads: one row per resource, its steps while it runs, its seconds when it is done. */
import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { refusalWords } from "../cloud-refusal.ts";

export type RowState = "running" | "done" | "failed";

export interface Row {
  /** As people know it: `machine m-1`, `master`, `node m-1`. */
  readonly name: string;
  readonly operation: string;
  readonly state: RowState;
  /** What it is doing right now, or how it failed. */
  readonly step: string;
  readonly ms: number;
}

export interface Progress {
  readonly onEvent: (event: EngineEvent) => void;
  /** Errors the engine told, without its frame. */
  readonly errors: readonly string[];
  /** How many resources were changed. */
  readonly changes: () => number;
}

export interface ProgressOptions {
  /** Called whenever a row begins, moves a step or ends. */
  readonly onRow: (row: Row) => void;
  /** Lines that stay, such as warnings. */
  readonly onNotice: (text: string) => void;
  readonly now?: () => number;
}

/** Operations of the engine that change something, in words. */
const operations: Record<string, string> = {
  create: "create",
  "create-replacement": "replace",
  update: "update",
  delete: "delete",
  "delete-replaced": "replace",
};
const typeNames: Record<string, string> = {
  Authority: "authority",
  InstanceChoice: "machine type",
  LocalMachine: "machine",
  SshMachine: "host",
  Preflight: "preflight",
  Master: "master",
  Node: "node",
  Rollout: "rollout",
  Burster: "burster",
  PoolGuard: "pool guard",
};

export function trackProgress({ onRow, onNotice, now = Date.now }: ProgressOptions): Progress {
  const started = new Map<string, { at: number; operation: string }>();
  const errors: string[] = [];
  let changes = 0;

  /** Of the roles that a rollout works on. */
  const roles = new Map<string, number>();
  const roleRow = (text: string): boolean => {
    const role = roleIn(text);
    if (role === undefined) return false;
    const at = roles.get(role.name) ?? now();
    onRow({ ...role, ms: now() - at });
    if (role.state === "running") roles.set(role.name, at);
    else roles.delete(role.name);
    return true;
  };
  const row = (urn: string, state: RowState, step: string) => {
    const begun = started.get(urn);
    if (begun !== undefined) onRow({ name: rowName(urn), operation: begun.operation, state, step, ms: now() - begun.at });
  };
  return {
    errors,
    changes: () => changes,
    onEvent(event) {
      const before = event.resourcePreEvent?.metadata;
      const after = event.resOutputsEvent?.metadata;
      const failed = event.resOpFailedEvent?.metadata;
      const said = event.diagnosticEvent;
      if (before !== undefined && isOurs(before.urn) && operations[before.op] !== undefined) {
        started.set(before.urn, { at: now(), operation: operations[before.op] as string });
        row(before.urn, "running", "");
      }
      if (after !== undefined && started.has(after.urn) && operations[after.op] !== undefined) {
        changes += 1;
        row(after.urn, "done", "");
        started.delete(after.urn);
      }
      if (failed !== undefined) {
        row(failed.urn, "failed", "");
        started.delete(failed.urn);
      }
      if (said === undefined) return;
      const text = plainText(said.message);
      if (text === "") return;
      if (said.severity === "error") {
        const words = refusalWords(text, said.urn);
        if (!isFrame(text) && !errors.includes(words)) errors.push(words);
      } else if (said.ephemeral === true && said.urn !== undefined) {
        if (rowName(said.urn) !== typeNames.Rollout || !roleRow(text)) row(said.urn, "running", text);
      } else if (said.severity === "warning" || (said.severity === "info" && said.urn !== undefined && isOurs(said.urn))) onNotice(text);
    },
  };
}

/** `4/12 batch 2: node rack-3 health 2/3` → the row of that node; undefined for what is about no role. */
export function roleIn(text: string): Omit<Row, "ms"> | undefined {
  const match = /^(\d+\/\d+ [^:]+): (master|node \S+) (.*)$/s.exec(text);
  const [, where = "", name = "", step = ""] = match ?? [];
  if (match === null) return undefined;
  const ended = /^(done|left out|failed|went back): /.exec(step)?.[1];
  const state = ended === undefined ? "running" : ended === "done" ? "done" : "failed";
  return { name, operation: where.endsWith(" back") ? "revert" : "upgrade", state, step: `${where}: ${step}` };
}

/** `urn:pulumi:local::spillway::spillway:index:Environment$spillway:index:Node::node-m-1` → `node m-1` */
export function rowName(urn: string): string {
  const [, , type = "", name = ""] = urn.split("::");
  const kind = type.split(":").at(-1) ?? "";
  const word = typeNames[kind] ?? kind;
  if (kind === "LocalMachine" || kind === "SshMachine") return `${word} ${name}`;
  if (kind === "InstanceChoice") return `${word} of ${name.replace(/^type-/, "")}`;
  return kind === "Node" ? `${word} ${name.replace(/^node-/, "")}` : word;
}

function isOurs(urn: string): boolean {
  const type = (urn.split("::")[2] ?? "").split("$").at(-1) ?? "";
  return type.startsWith("spillway:index:") && !type.endsWith(":Environment");
}

/** The engine wraps each error in a sentence of its own and repeats that the update failed; neither tells anything new. */
function isFrame(text: string): boolean {
  return /^(update|preview|destroy|refresh) failed$/.test(text) || /^(one or more|\d+) errors? occurred:?$/.test(text);
}

function plainText(message: string): string {
  return (
    message
      .replaceAll(/<\{%[^%]*%\}>/g, "")
      .replace(/^(creating|updating|deleting|reading|refreshing) urn:\S+: /, "")
      .replace(/^(1 error occurred:\s*\n\s*\* )+/, "")
      .replace(/^(creating|updating|deleting|reading) urn:\S+: /, "")
      // A program that failed: the language host puts every input on the way before the reason, and its stack after it.
      .replace(/^(Unhandled exception: )?(Error: )?(?=error serializing property )/, "")
      .replaceAll(/error serializing property "[^"]*": /g, "")
      .replaceAll(/\n\s+at .*$/gm, "")
      .trim()
  );
}
