/** What is to be known of a machine that joins by itself, before it is made. */
import type { AgentFilesWish } from "../agent-files.ts";
import { oldestSystemd } from "../findings.ts";
import type { MachineIdentity } from "../machine-facts.ts";

export interface CloudJoin extends AgentFilesWish {
  /** Single-use and bound to the instance; a secret. */
  readonly token: string;
  /** Of the gzip tarball that the master hands out. */
  readonly bundle: { readonly digest: string; readonly bytes: number; readonly sha256: string };
  readonly arch: "x64" | "arm64";
  readonly identity: MachineIdentity;
  /** For how long the master is dialled and the bundle fetched, again and again; each for itself. */
  readonly patienceMs: number;
  /** Of tests: the directory that stands for the file system. */
  readonly root?: string;
  /** Of tests: a Node binary of the machine to link to; the bundle holds none then. */
  readonly nodeBinary?: string;
}

/** The unit that runs the script at each start of the machine until it is done. */
export const joinUnit = "spillway-join.service";

/** An older systemd is refused before anything depends on it. */
export function factsOf(root: string): { readonly root: string; readonly systemd?: number } {
  return root === "" ? { root, systemd: oldestSystemd } : { root };
}
