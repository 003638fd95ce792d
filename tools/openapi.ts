/** `npm run openapi`: writes docs/openapi.json as the master serves it. A contract test fails when the two differ. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createApi } from "../agent/master/api/app.ts";
import { documentOf } from "../agent/master/api/document.ts";

const repository = join(import.meta.dirname, "..");
export const documentFile = join(repository, "docs", "openapi.json");

/** The document of the API as the code is now. */
export function currentDocument(): unknown {
  const noLeader = () => {
    throw new Error("bug: a description needs no leader");
  };
  const api = createApi(
    { leader: noLeader, rootCa: "", issuer: () => ({ certificate: "", key: "" }) },
    { own: { hosts: [], origin: "" }, adminTokenSha256: "", log: () => undefined },
  );
  return JSON.parse(JSON.stringify(documentOf(api)));
}

if (import.meta.main) {
  writeFileSync(documentFile, JSON.stringify(currentDocument()));
  execFileSync(join(repository, "node_modules/.bin/biome"), ["format", "--write", documentFile], { cwd: repository, stdio: "ignore" });
  console.log(`written: ${documentFile}`);
}
