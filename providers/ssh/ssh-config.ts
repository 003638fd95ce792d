/** What OpenSSH's client would take from its configuration for one host: address, port, user, key, jump hosts. Nothing in it is run. */
import SSHConfig from "ssh-config";

export interface SshConfig {
  /** As a person calls the file. */
  readonly file: string;
  of(host: string): ConfiguredHost;
}

/** What is said of one host; what is not said is undefined. */
export interface ConfiguredHost {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  /** A private key's path (~/… or /…), or `agent` where the file names a public key, whose other half an agent holds. */
  readonly key?: string;
  /** Hosts to be passed through, the first of them dialled first; empty: none, whatever else would hold. */
  readonly jump?: readonly JumpWords[];
  /** The name that known_hosts has for it. */
  readonly knownAs?: string;
  /** What can't be done as it says: sentences. */
  readonly problems: readonly string[];
}

/** [user@]host[:port] */
export interface JumpWords {
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
}

/** Reads the files that an `Include` names; several, by name, for a pattern. */
export type ReadIncluded = (pattern: string) => readonly { readonly path: string; readonly text: string }[];

/** Throws a RangeError that says what can't be read. */
export function parseSshConfig(file: string, text: string, readIncluded: ReadIncluded): SshConfig {
  const config = parse(file, withIncluded(text, readIncluded, 0));
  return { file, of: (host) => configuredHost(file, host, computed(config, host)) };
}

/** As in OpenSSH (ssh_config(5)). */
const deepestInclude = 16;

/** The text with what it includes in its place; the block that stands around it goes on behind. */
function withIncluded(text: string, readIncluded: ReadIncluded, depth: number): string {
  if (depth > deepestInclude) throw new RangeError("Include goes round, or too deep");
  let block = "Host *";
  return text
    .split("\n")
    .map((line) => {
      if (isBlock(line)) block = line.trim();
      const named = /^\s*include[\s=]+(.+)$/i.exec(line)?.[1];
      if (named === undefined) return line;
      const patterns = [...named.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
      const parts = patterns.flatMap((pattern) => readIncluded(pattern)).map((part) => withIncluded(part.text, readIncluded, depth + 1));
      const hasBlocks = parts.some((part) => part.split("\n").some(isBlock));
      if (hasBlocks && !/^host[\s=]+\*$/i.test(block))
        throw new RangeError(`${line.trim()} stands within "${block}" and has blocks of its own: put it before the first Host`);
      return hasBlocks ? [...parts, block].join("\n") : parts.join("\n");
    })
    .join("\n");
}

function isBlock(line: string): boolean {
  return /^\s*(host|match)[\s=]/i.test(line);
}

function parse(file: string, text: string): SSHConfig {
  try {
    return SSHConfig.parse(text);
  } catch (error) {
    throw new RangeError(`${file}: ${(error as Error).message}`);
  }
}

type Computed = ReadonlyMap<string, readonly string[]>;

/** Names in lower case. `Match exec` would run programs, so it never holds. */
function computed(config: SSHConfig, host: string): Computed {
  const found = config.compute(host, { ignoreCase: true, matchExec: false });
  return new Map(Object.entries(found).map(([name, value]) => [name, Array.isArray(value) ? value : [value]]));
}

function configuredHost(file: string, written: string, found: Computed): ConfiguredHost {
  const one = (name: string) => found.get(name)?.[0];
  const problems: string[] = [];
  const host = one("hostname")?.replaceAll(/%[h%]/g, (token) => (token === "%%" ? "%" : written));
  const port = one("port");
  const jump = one("proxyjump");
  const command = found.get("proxycommand")?.join(" ").trim();
  if (jump === undefined && command !== undefined && command !== "none")
    problems.push(`${file} reaches it by a ProxyCommand, which is not run: write jump`);
  const keys = (found.get("identityfile") ?? []).filter((path) => path !== "none");
  return {
    ...ifSaid("host", host),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...ifSaid("user", one("user")),
    ...ifSaid("key", keys[0] === undefined ? undefined : keyOf(file, keys[0], problems)),
    ...(jump === undefined
      ? {}
      : { jump: jump.toLowerCase() === "none" ? [] : jump.split(",").map((words) => jumpWords(file, words, problems)) }),
    ...ifSaid("knownAs", one("hostkeyalias")),
    problems,
  };
}

function ifSaid<K extends string>(key: K, value: string | undefined): { [name in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [name in K]?: string });
}

function keyOf(file: string, path: string, problems: string[]): string | undefined {
  if (path.endsWith(".pub")) return "agent";
  const own = path.replace(/^%d\//, "~/");
  if (/^(~\/|\/)[^%]*$/.test(own)) return own;
  problems.push(`${file} names the key "${path}" for it, which is not of the form ~/… or /…: write key`);
  return undefined;
}

function jumpWords(file: string, text: string, problems: string[]): JumpWords {
  const found = /^(?:ssh:\/\/)?(?:([^@]+)@)?(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::(\d+))?$/.exec(text.trim());
  if (found === null) {
    problems.push(`${file} has a ProxyJump for it that can't be read: "${text}"`);
    return { host: text };
  }
  const [, user, host = "", port] = found;
  return { host: host.replace(/^\[|\]$/g, ""), ...ifSaid("user", user), ...(port === undefined ? {} : { port: Number(port) }) };
}
