/** OpenSSH's known_hosts (sshd(8)): which key a host is known by; plain, patterned and hashed names. Pure. */
import { createHash, createHmac } from "node:crypto";

export interface KnownHosts {
  /** As a person calls the file. */
  readonly file: string;
  readonly entries: readonly KnownHost[];
}

interface KnownHost {
  readonly line: number;
  readonly marker: "" | "@revoked" | "@cert-authority";
  readonly names: string;
  /** ssh-ed25519 … */
  readonly kind: string;
  /** SHA256:… */
  readonly fingerprint: string;
}

/** Kinds that the client speaks, the preferred first. */
const kinds = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

/** Lines that are none are left out, as OpenSSH does. */
export function parseKnownHosts(file: string, text: string): KnownHosts {
  const entries = text.split(/\r?\n/).flatMap((line, index): KnownHost[] => {
    const words = line.trim().split(/\s+/);
    if (words[0] === undefined || words[0] === "" || words[0].startsWith("#")) return [];
    const marker = words[0].startsWith("@") ? (words.shift() ?? "") : "";
    const [names = "", kind = "", key = ""] = words;
    const isEntry = marker === "" || marker === "@revoked" || marker === "@cert-authority";
    if (!isEntry || !/^[A-Za-z0-9+/]+={0,3}$/.test(key)) return [];
    return [{ line: index + 1, marker, names, kind, fingerprint: fingerprintOf(key) }];
  });
  return { file, entries };
}

/** `key` is the one to pin; undefined where it knows none. */
export interface KnownKey {
  readonly key?: string;
  /** Why no key of the host can be pinned though the file speaks of it, or may not be: a sentence. */
  readonly problem?: string;
}

/**
 * What the file says of a host.
 * @param written a key that is pinned elsewhere, which counts unless the file says that it is revoked
 */
export function knownKey(known: KnownHosts, address: { readonly host: string; readonly port: number }, written?: string): KnownKey {
  const name = nameOf(address);
  const found = known.entries.filter(({ names }) => namesHost(names, name));
  const revoked = found.filter(({ marker }) => marker === "@revoked");
  const isRevoked = (key: string) => revoked.find(({ fingerprint }) => fingerprint === key);
  const revokedLine = written === undefined ? undefined : isRevoked(written)?.line;
  if (revokedLine !== undefined) return { problem: `its host key ${written} is revoked by ${known.file}, line ${revokedLine}` };
  if (written !== undefined) return {};
  const good = found.filter(({ marker, fingerprint }) => marker === "" && isRevoked(fingerprint) === undefined);
  for (const kind of kinds) {
    const [first, ...others] = good.filter((entry) => entry.kind === kind);
    if (first === undefined) continue;
    const other = others.find(({ fingerprint }) => fingerprint !== first.fingerprint);
    if (other === undefined) return { key: first.fingerprint };
    return {
      problem: `${known.file} knows it by two different ${kind} keys (lines ${first.line} and ${other.line}): delete the wrong one, or write hostKey`,
    };
  }
  const [onlyRevoked] = revoked;
  return onlyRevoked === undefined
    ? {}
    : { problem: `its host key is revoked by ${known.file}, line ${onlyRevoked.line}: write its new one as hostKey` };
}

/** Lines that vouch for hosts by a certificate, which is not looked at. */
export function certificateLines({ entries }: KnownHosts): number[] {
  return entries.filter(({ marker }) => marker === "@cert-authority").map(({ line }) => line);
}

/** As known_hosts names a host: its port is told when it is not 22. */
function nameOf({ host, port }: { readonly host: string; readonly port: number }): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** Whether a list of names means this one: exact, by `*` and `?`, hashed, and not by one with `!` before it. */
function namesHost(names: string, name: string): boolean {
  if (names.startsWith("|")) return isHashOf(names, name);
  let means = false;
  for (const pattern of names.toLowerCase().split(",")) {
    if (!matches(pattern.replace(/^!/, ""), name)) continue;
    if (pattern.startsWith("!")) return false;
    means = true;
  }
  return means;
}

function matches(pattern: string, name: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === name;
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(name);
}

/** `|1|salt|hash`: HMAC-SHA1 of the name. */
function isHashOf(text: string, name: string): boolean {
  const [, version, salt = "", hash] = text.split("|");
  return version === "1" && createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}

function fingerprintOf(key: string): string {
  return `SHA256:${createHash("sha256").update(Buffer.from(key, "base64")).digest("base64").replace(/=+$/, "")}`;
}
