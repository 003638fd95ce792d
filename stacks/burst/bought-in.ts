/** The regions of clouds that bursts were ever bought in: what is left there is looked for also when no setting names them any more. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { PricePlace } from "../price-cache.ts";
import { replaceFile } from "../replace-file.ts";
import { type BursterConfig, burstLayout } from "./config.ts";

const places = z.array(z.object({ cloud: z.enum(["aws", "azure"]), region: z.string() }));

/** Every place that was remembered; nothing where none was. */
export function boughtIn({ directory }: Pick<BursterConfig, "directory">): PricePlace[] {
  try {
    return places.parse(JSON.parse(readFileSync(burstLayout(directory).boughtIn, "utf8")));
  } catch {
    return [];
  }
}

/** On the disk before anything is made there. */
export function rememberPlace(config: Pick<BursterConfig, "directory">, { cloud, region }: PricePlace): void {
  const known = boughtIn(config);
  if (known.some((place) => place.cloud === cloud && place.region === region)) return;
  const text = `${JSON.stringify([...known, { cloud, region }])}\n`;
  replaceFile(burstLayout(config.directory).boughtIn, text, { file: 0o600, directory: 0o700 });
}
