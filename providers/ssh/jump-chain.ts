/** The way through jump hosts: as the settings name them, and as OpenSSH's configuration does (ProxyJump); pure. */
import type { CredentialReference, JumpHost } from "../../agent/contract/machine.ts";
import { type KnownHosts, knownKey } from "./known-hosts.ts";
import type { JumpWords, SshConfig } from "./ssh-config.ts";

/** A jump host as the settings name it. */
export interface JumpEntry {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly credential: CredentialReference;
  /** SHA256:… */
  readonly hostKey: string;
  /** The name of the one before it. */
  readonly jump?: string | undefined;
}

type Jumps = Readonly<Record<string, JumpEntry>>;

/** The jump host of that name with those before it; a name that is not there, or goes round, ends the chain: it is refused elsewhere. */
export function jumpChain(name: string, jumps: Jumps, passed: readonly string[] = []): JumpHost | undefined {
  const entry = Object.hasOwn(jumps, name) ? jumps[name] : undefined;
  if (entry === undefined || passed.includes(name)) return undefined;
  const { jump: next, ...own } = entry;
  const before = next === undefined ? undefined : jumpChain(next, jumps, [...passed, name]);
  return before === undefined ? own : { ...own, jump: before };
}

/** The names on the way from this one on until one comes twice; undefined when none does. */
export function jumpCycle(name: string, jumps: Jumps): readonly string[] | undefined {
  const passed: string[] = [];
  for (let at: string | undefined = name; at !== undefined && Object.hasOwn(jumps, at); at = jumps[at]?.jump) {
    if (passed.includes(at)) return [...passed.slice(passed.indexOf(at)), at];
    passed.push(at);
  }
  return undefined;
}

export interface ConfiguredJumps {
  readonly jumps: Jumps;
  readonly sshConfig?: SshConfig | undefined;
  readonly knownHosts?: KnownHosts | undefined;
  /** The credential for a key's path, or `agent`; for undefined what holds where nothing is said. */
  readonly credential: (key: string | undefined) => CredentialReference;
  readonly refuse: (sentence: string) => void;
}

/** A chain of ProxyJump, the first of them dialled first. One that the settings name too is as they say. */
export function jumpChainOf(
  words: readonly JumpWords[],
  configured: ConfiguredJumps,
  passed: readonly string[] = [],
): JumpHost | undefined {
  let before: JumpHost | undefined;
  for (const [index, one] of words.entries()) {
    // As OpenSSH does it: only the first goes by its own ProxyJump, the others through the one before them.
    const hop = hopOf(one, { configured, passed, isFirst: index === 0 });
    if (hop === undefined) return undefined;
    before = before === undefined ? hop : { ...hop, jump: before };
  }
  return before;
}

interface HopOptions {
  readonly configured: ConfiguredJumps;
  readonly passed: readonly string[];
  readonly isFirst: boolean;
}

function hopOf(words: JumpWords, { configured, passed, isFirst }: HopOptions): JumpHost | undefined {
  const { jumps, sshConfig, knownHosts, refuse } = configured;
  const file = sshConfig?.file ?? "";
  if (passed.includes(words.host)) {
    refuse(`ProxyJump in ${file} goes round: ${[...passed, words.host].join(" → ")}`);
    return undefined;
  }
  if (Object.hasOwn(jumps, words.host)) return jumpChain(words.host, jumps);
  const found = sshConfig?.of(words.host);
  for (const sentence of found?.problems ?? []) refuse(`its jump host ${words.host}: ${sentence}`);
  const host = found?.host ?? words.host;
  const port = words.port ?? found?.port ?? 22;
  const known =
    knownHosts === undefined ? {} : knownKey(knownHosts, found?.knownAs === undefined ? { host, port } : { host: found.knownAs, port: 22 });
  if (known.key === undefined) {
    const others = knownHosts === undefined ? ", or write knownHosts: true" : "";
    refuse(
      known.problem ??
        `the host key of its jump host ${words.host} (ProxyJump in ${file}) is not known: name it under jumps with its hostKey${others}`,
    );
    return undefined;
  }
  const before = isFirst ? jumpChainOf(found?.jump ?? [], configured, [...passed, words.host]) : undefined;
  return {
    host,
    port,
    user: words.user ?? found?.user ?? "root",
    hostKey: known.key,
    credential: configured.credential(found?.key),
    ...(before === undefined ? {} : { jump: before }),
  };
}
