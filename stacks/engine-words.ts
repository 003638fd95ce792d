/** What the Automation API's errors say, without the command it ran and the streams that were empty. */

/** Everything that Pulumi wrote to its error stream; the message's first line where it wrote nothing. */
export function engineWords(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const stderr = /stderr:[ \t]*([\s\S]*?)(?:\n\s*err\?:|$)/.exec(text)?.[1] ?? "";
  const words = stderr.replace(/^Command failed with exit code .*$/m, "").trim();
  return words === "" ? (text.split("\n")[0] ?? text) : words;
}
