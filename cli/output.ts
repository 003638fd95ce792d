/** What the CLI writes: results on stdout (tables for people, JSON for programs), everything else on stderr. */
import { styleText } from "node:util";

export type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan";

/** A result for a program: JSON on stdout, and nothing else goes there. */
export function printJson(value: unknown): void {
  clearStatus();
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** One JSON line on stdout, for results that come one by one. */
export function printJsonLine(value: unknown): void {
  clearStatus();
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** A line of a result for people, on stdout. */
export function print(line = ""): void {
  clearStatus();
  process.stdout.write(`${line}\n`);
}

/** A line about what goes on, on stderr; it takes the place of a status line. */
export function say(line: string): void {
  clearStatus();
  process.stderr.write(`${line}\n`);
}

/** Colours a text for stdout or stderr; left as it is without a terminal or with NO_COLOR. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(style, text, { stream });
}

let statusShown = false;
let lastStatusLine = "";
let lastStatusAt = Number.NEGATIVE_INFINITY;
/** Without a terminal a status is a line of its own, so it may not come more often than this. */
const plainStatusIntervalMs = 10_000;

/** A line that says what is being waited for: redrawn in place on a terminal, else a new line now and then. */
export function status(text: string): void {
  if (process.stderr.isTTY) {
    const width = Math.max(20, (process.stderr.columns || 80) - 1);
    process.stderr.write(`\r\u001b[K${paint("dim", text.length > width ? `${text.slice(0, width - 1)}…` : text, process.stderr)}`);
    statusShown = true;
    return;
  }
  const now = performance.now();
  if (text === lastStatusLine || now - lastStatusAt < plainStatusIntervalMs) return;
  lastStatusLine = text;
  lastStatusAt = now;
  process.stderr.write(`${text}\n`);
}

/** Takes the status line off the terminal; call it before other output goes there. */
export function clearStatus(): void {
  if (!statusShown) return;
  statusShown = false;
  process.stderr.write("\r\u001b[K");
}

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

/**
 * Rows as aligned text, without a frame; the last column may be as long as it is. Cells may hold colour codes:
 * they are not counted. Columns whose cells are all empty are left out.
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const used = columns
    .map((column, at) => ({ column, at }))
    .filter(({ at }) => rows.length === 0 || rows.some((row) => (row[at] ?? "") !== ""));
  const widths = used.map(({ column, at }) => Math.max(column.title.length, ...rows.map((row) => visibleLength(row[at] ?? ""))));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, position) => {
        const padding = " ".repeat(Math.max(0, (widths[position] ?? 0) - visibleLength(cell)));
        return used[position]?.column.align === "right" ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd();
  const head = line(used.map(({ column }) => column.title));
  return [paint("dim", head), ...rows.map((row) => line(used.map(({ at }) => row[at] ?? "")))].join("\n");
}

function visibleLength(text: string): number {
  // oxlint-disable-next-line no-control-regex -- colour codes begin with one
  return Array.from(text.replace(/\u001b\[[0-9;]*m/g, "")).length;
}

/** How long ago or how long, short: `4 s`, `12 min`, `3 h`, `2 d`. */
export function shortSpan(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** `1 job`, `3 jobs`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Text from elsewhere made safe for a terminal: control characters can't move the cursor or hide a line. */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

const stateStyles: Record<string, Style> = {
  ready: "green",
  live: "green",
  succeeded: "green",
  running: "cyan",
  assigned: "cyan",
  active: "cyan",
  pending: "yellow",
  joining: "yellow",
  suspect: "yellow",
  stopping: "yellow",
  disconnected: "yellow",
  intent: "yellow",
  launching: "yellow",
  cordoned: "yellow",
  draining: "yellow",
  retiring: "yellow",
  drained: "dim",
  gone: "dim",
  cancelled: "dim",
  failed: "red",
  lost: "red",
  leaked: "red",
};

/** A state of a node, job, task or burst in its colour: the same everywhere. */
export function paintState(state: string): string {
  const style = stateStyles[state];
  return style === undefined ? state : paint(style, state);
}
