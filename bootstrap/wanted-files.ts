/** The files that a role is to have on its machine: which differ there, and writing those. */
import { compareFiles, readFiles, writeFiles } from "./commands/files.ts";
import { type BootstrapContext, filledIn, type InstalledFile } from "./context.ts";
import { supervisionOf } from "./supervision.ts";

/** `units`: what belongs to the bundle; `all`: those and what the request wants. */
export function wantedFiles(context: BootstrapContext): {
  readonly units: readonly InstalledFile[];
  readonly all: readonly InstalledFile[];
} {
  const { request } = context;
  const layout = filledIn(context.layout, "layout");
  const facts = filledIn(context.facts, "facts");
  const units = supervisionOf(facts).files(layout, request.role);
  return { units, all: [...request.files(layout, facts), ...units] };
}

/** Writes those of the files that do not hold what they should. */
export async function putWhatDiffers(files: readonly InstalledFile[], context: BootstrapContext): Promise<void> {
  const { same } = await compared(files, context);
  await put(
    files.filter(({ path }) => !same.has(path)),
    context,
  );
}

/** Read off the machine; by path. */
export async function compared(files: readonly InstalledFile[], context: BootstrapContext): Promise<ReturnType<typeof compareFiles>> {
  if (files.length === 0) return { same: new Set(), there: new Set() };
  const { sha256 } = filledIn(context.facts, "facts");
  return compareFiles((await filledIn(context.remote, "remote").read(readFiles(sha256, files))).stdout, files);
}

/** Writes the files; the role has to be started anew then, unless it notices by itself. */
export async function put(files: readonly InstalledFile[], context: BootstrapContext): Promise<void> {
  if (files.length === 0) return;
  const { opt } = filledIn(context.layout, "layout");
  const sentences = files.map(({ path }) => `write ${path.slice(path.lastIndexOf("/") + 1)} for the ${context.request.role}`);
  const { argv, stdin } = writeFiles(files, opt);
  await filledIn(context.remote, "remote").change("remote.install", sentences, argv, { stdin });
  if (files.some(({ live }) => live !== true)) context.restartNeeded = true;
}
