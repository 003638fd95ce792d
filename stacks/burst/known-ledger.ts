/** Which ledger was known last: with another one, what it does not know of may still be wanted. */
import { readFileSync } from "node:fs";
import { replaceFile } from "../replace-file.ts";
import { type BursterConfig, burstLayout } from "./config.ts";

/** Whether another ledger was known before: the master's records were lost and begun anew. */
export function isNewLedger(config: Pick<BursterConfig, "directory">, ledger: string): boolean {
  const known = knownLedger(config);
  return known !== undefined && known !== ledger;
}

/** From now on this is the ledger that says what is wanted. */
export function rememberLedger({ directory }: Pick<BursterConfig, "directory">, ledger: string): void {
  replaceFile(burstLayout(directory).ledger, `${JSON.stringify({ id: ledger })}\n`, { file: 0o600, directory: 0o700 });
}

export function knownLedger({ directory }: Pick<BursterConfig, "directory">): string | undefined {
  try {
    const { id } = JSON.parse(readFileSync(burstLayout(directory).ledger, "utf8")) as { id?: string };
    return id;
  } catch {
    return undefined;
  }
}
