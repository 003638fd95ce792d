/** What we log in with: a private key file, opened by its passphrase where it is encrypted, or the ssh-agent. */
import { readFileSync, statSync } from "node:fs";
import ssh2, { type ConnectConfig, type ParsedKey, type PublicKeyAuthMethod } from "ssh2";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { CredentialReference } from "../../agent/contract/machine.ts";
import { ownPath, readSecret } from "./secret.ts";

type KeyFile = Extract<CredentialReference, { kind: "file" }>;
/** The part of the client's configuration that says by what it logs in. */
export type OpenCredential = Pick<ConnectConfig, "privateKey" | "agent" | "authHandler">;

/** Opening an encrypted key takes a noticeable part of a second of the one thread, and many hosts share a key. */
const opened = new Map<string, ParsedKey>();

/** Throws `credential-missing`, and `secret-missing` for a passphrase that is not there. */
export function openCredential(credential: CredentialReference, username: string, where: string): OpenCredential {
  if (credential.kind === "file") {
    const key = openKey(credential, where);
    if (Buffer.isBuffer(key)) return { privateKey: key };
    // A key that is parsed already is taken here alone.
    const method: PublicKeyAuthMethod = { type: "publickey", username, key };
    return { authHandler: [method] };
  }
  const agent = process.env.SSH_AUTH_SOCK ?? "";
  if (agent !== "") return { agent };
  throw new SpillwayError("its credential is the ssh-agent, and none is there (SSH_AUTH_SOCK is not set)", {
    code: "credential-missing",
    where,
    hint: "Start one (eval $(ssh-agent); ssh-add), or name a key file in the settings: key: ~/.ssh/id_ed25519",
  });
}

/** Whether this passphrase opens the key; also for one that needs none. Throws where the file can't be read. */
export function opensKey(path: string, passphrase: string): boolean {
  return !(ssh2.utils.parseKey(readFileSync(ownPath(path)), passphrase) instanceof Error);
}

/** The file's text; of an encrypted key what is in it. */
function openKey(credential: KeyFile, where: string): Buffer | ParsedKey {
  const path = ownPath(credential.path);
  let text: Buffer;
  let known: string;
  try {
    text = readFileSync(path);
    const { mtimeMs, size } = statSync(path);
    known = `${path} ${mtimeMs} ${size}`;
  } catch (cause) {
    throw unusable(
      `its SSH key ${path} can't be read: ${describeError(cause)}`,
      "Put the key back, or name another in the settings.",
      where,
      cause,
    );
  }
  const before = opened.get(known);
  if (before !== undefined) return before;
  const plain = ssh2.utils.parseKey(text);
  if (!(plain instanceof Error)) return text;
  if (!/encrypted|passphrase/i.test(plain.message))
    throw unusable(`its SSH key ${path} can't be used: ${plain.message}`, "Name a private key in OpenSSH's or PEM format.", where);
  if (credential.passphrase === undefined) {
    const hint = `Add it to an ssh-agent (ssh-add ${path}) and write key: agent; or say where its passphrase is: keyPassphrase: ask, env:NAME or file:~/PATH`;
    throw unusable(`its SSH key ${path} is encrypted`, hint, where);
  }
  const passphrase = readSecret(credential.passphrase, { what: `the passphrase of its SSH key ${path}`, where, setting: "keyPassphrase" });
  const parsed = ssh2.utils.parseKey(text, passphrase);
  if (parsed instanceof Error)
    throw unusable(
      `its SSH key ${path} is not opened by the passphrase that keyPassphrase names`,
      `Try it: ssh-keygen -y -f ${path}`,
      where,
    );
  opened.set(known, parsed);
  return parsed;
}

function unusable(problem: string, hint: string, where: string, cause?: unknown): SpillwayError {
  return new SpillwayError(problem, { code: "credential-missing", where, hint, cause });
}
