/** Quoting, in one place: a command is an argv until the moment it becomes one line for the other side's shell. */

/** argv → one line that a POSIX shell takes apart into exactly these words. Throws a RangeError on a NUL, which no shell can take. */
export function commandLine(argv: readonly string[]): string {
  return argv.map(quote).join(" ");
}

/** What a host printed, for a person's terminal: without control characters but line ends, and not without end. */
export function readable(text: string, maxLength = 2000): string {
  // oxlint-disable-next-line no-control-regex
  return text.slice(0, maxLength).replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, "");
}

/** One word, quoted where it needs it. */
export function quote(word: string): string {
  if (word.includes("\0")) throw new RangeError("a command's argument holds a NUL character");
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * A small script with its arguments as `$1`, `$2` …; the script's text is ours, the arguments may be anything. Programs in
 * it speak English: some of their words are looked for.
 */
export function script(text: string, ...parameters: readonly string[]): string[] {
  return ["sh", "-c", `LC_ALL=C; export LC_ALL\n${text}`, "sh", ...parameters];
}
