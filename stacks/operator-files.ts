/** OpenSSH's own files of whoever runs it, read while the settings are: its configuration and the hosts it knows. */
import { globSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { ownPath } from "../bootstrap/ssh/secret.ts";
import { type KnownHosts, parseKnownHosts } from "../providers/ssh/known-hosts.ts";
import { parseSshConfig, type SshConfig } from "../providers/ssh/ssh-config.ts";

/** Throws an Error whose message says what can't be read. */
export function readSshConfig(path: string): SshConfig {
  return parseSshConfig(path, read(path), (pattern) =>
    // What is not there is no error to OpenSSH either.
    globSync(includedPath(pattern))
      .toSorted()
      .map((file) => ({ path: file, text: read(file) })),
  );
}

/** Throws an Error whose message says what can't be read. */
export function readKnownHosts(path: string): KnownHosts {
  return parseKnownHosts(path, read(path));
}

/** The line of a .pub file. Throws an Error whose message says what can't be read. */
export function readPublicKey(path: string): string {
  const line = read(path).trim();
  if (/^(ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/=]+/.test(line) && !line.includes("\n")) return line;
  throw new Error(`${path} holds no public key`);
}

/** A path without a directory is one of ~/.ssh (ssh_config(5)). */
function includedPath(pattern: string): string {
  const path = ownPath(pattern);
  return isAbsolute(path) ? path : join(ownPath("~/.ssh"), path);
}

/** Throws an Error whose message says what can't be read. */
export function readOperatorFile(path: string): string {
  return read(path);
}

function read(path: string): string {
  try {
    return readFileSync(ownPath(path), "utf8");
  } catch (cause) {
    throw new Error(`${path} can't be read: ${(cause as Error).message}`, { cause });
  }
}
