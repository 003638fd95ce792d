/** What a bootstrap action is asked to do, and what its phases find out on the way. */
import type { BundleCompression, BundlePlatform } from "../agent/contract/bundle-platform.ts";
import type { AgentRole, InstallLayout } from "../agent/contract/install-layout.ts";
import type { Machine } from "../agent/contract/machine.ts";
import type { MachineFacts, MachineIdentity } from "./machine-facts.ts";
import type { Remote } from "./remote.ts";
import type { Slots } from "./slots.ts";
import { defaultPatienceMs, shortPatienceMs } from "./ssh/reconnecting.ts";
import type { Session } from "./ssh/session.ts";

/** A built bundle as it lies on the operator's machine. */
export interface BundleFile {
  readonly digest: string;
  /** Path of the compressed tarball. */
  readonly tarball: string;
  readonly compression: BundleCompression;
  readonly bytes: number;
  /** sha256 of that file, hex. */
  readonly sha256: string;
}

export type BundleSource = (platform: BundlePlatform, compression: BundleCompression) => Promise<BundleFile>;

/** A file that the role needs on the machine; written whole, by rename. */
export interface InstalledFile {
  readonly path: string;
  readonly content: string;
  /** Octal, e.g. "600". */
  readonly mode: string;
  /** The running role notices a change of it by itself: no restart. */
  readonly live?: true;
}

export interface BootstrapRequest {
  readonly machine: Machine;
  readonly role: AgentRole;
  /** The bundle for this kind of machine, as it can unpack it; built when it is not there yet. */
  readonly bundle: BundleSource;
  /** Configuration, CA and keys of the role. */
  readonly files: (layout: InstallLayout, facts: MachineFacts) => readonly InstalledFile[];
  /** Whose the machine is to be, or is; another's is left alone. */
  readonly identity?: MachineIdentity | undefined;
  /** Port on the machine that the role will listen on; checked to be free before anything is changed. */
  readonly listenPort?: number | undefined;
  /** https URL of the master; that the machine can dial it is checked before anything is changed. */
  readonly dials?: string | undefined;
  /** Where on the machine a tunnel to that begins, which its agent is to take; it must be there. */
  readonly dialVia?: { readonly host: string; readonly port: number } | undefined;
  /** Agents only: asks the master for a single-use token; undefined when the node has joined and its certificate is good. */
  readonly joinToken?: (machine: { hasCertificate: boolean }) => Promise<string | undefined>;
  /** Resolves when the role answers as it should, from the bundle it has; throws what a person should read. */
  readonly awaitReady: (installed: { readonly bundle: string }) => Promise<void>;
  /** What it is doing right now. */
  readonly onProgress?: (text: string) => void;
  /** The sentence of each change, as it is made. */
  readonly onSentence?: (sentence: string) => void;
  readonly dryRun?: boolean;
  /** Aborted when the operator cancels: the action ends after the current step. */
  readonly signal?: AbortSignal;
  /** For how long a host that does not answer is tried again, and one whose connection breaks; as its settings say without it. */
  readonly patienceMs?: number | undefined;
}

/** ms */
export function patienceOf({ patienceMs, machine }: Pick<BootstrapRequest, "patienceMs" | "machine">): number {
  return patienceMs ?? machine.connectTimeoutMs ?? defaultPatienceMs;
}

/** Stands for what only an installation needs, in actions that install nothing; they soon tell that a host does not answer. */
export const nothingToInstall: Pick<BootstrapRequest, "bundle" | "files" | "awaitReady" | "patienceMs"> = {
  patienceMs: shortPatienceMs,
  bundle: () => Promise.reject(new Error("bug: an action that installs nothing has asked for a bundle")),
  files: () => [],
  awaitReady: async () => undefined,
};

/** Grows phase by phase; a phase may rely on what the phases before it in the list have filled in. */
export interface BootstrapContext {
  readonly request: BootstrapRequest;
  session?: Session;
  remote?: Remote;
  facts?: MachineFacts;
  layout?: InstallLayout;
  /** What the role runs, or is to run. */
  bundle?: Pick<BundleFile, "digest">;
  /** That is another bundle than the one at hand: the role was installed before, and stays as it is until a rollout comes to it. */
  isFormer?: boolean;
  slots?: Slots;
  /** Whether something changed that a running role has to be restarted for. */
  restartNeeded: boolean;
}

export interface Phase {
  /** The file's name in words; shown while it runs. */
  readonly title: string;
  readonly applies?: (request: BootstrapRequest) => boolean;
  readonly run: (context: BootstrapContext) => Promise<void>;
}

/** The value a former phase must have filled in; anything else is a bug in the action's list. */
export function filledIn<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`bug: no phase before has filled in ${what}`);
  return value;
}
