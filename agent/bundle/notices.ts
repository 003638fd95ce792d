/** The licences of what is inside the bundle, as their authors ask. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const manifest = z.object({ name: z.string(), version: z.string(), license: z.string().optional() });

/** One text: each package's name, version, licence and licence file. */
export async function thirdPartyNotices(repository: string, packages: readonly string[]): Promise<Buffer> {
  const parts = await Promise.all(packages.map((name) => noticeOf(join(repository, name))));
  return Buffer.from(parts.join("\n"));
}

async function noticeOf(folder: string): Promise<string> {
  const { name, version, license } = manifest.parse(JSON.parse(await readFile(join(folder, "package.json"), "utf8")));
  const file = (await readdir(folder)).sort().find((candidate) => /^licen[cs]e/i.test(candidate));
  const text = file === undefined ? "" : await readFile(join(folder, file), "utf8");
  return `==== ${name} ${version} (${license ?? "see below"})\n${text.trim()}\n`;
}
