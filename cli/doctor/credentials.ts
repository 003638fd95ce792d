/** What is looked at of the credentials that hosts and jump hosts need: keys, passphrases, passwords; nothing of them is printed. */
import { readFileSync, statSync } from "node:fs";
import { describeError } from "../../agent/contract/errors.ts";
import { type CredentialReference, hopsOf, type Machine, type SecretReference } from "../../agent/contract/machine.ts";
import type { Finding } from "../../bootstrap/findings.ts";
import { ownPath, type SecretUse, secretProblem } from "../../bootstrap/ssh/secret.ts";
import { countOf } from "../output.ts";
import { keysInAgent } from "./ssh-agent.ts";

type LoggedInTo = Pick<Machine, "credential" | "sudoPassword" | "jump">;

/** Each credential and secret that these machines need, once. */
export async function credentialFindings(machines: readonly LoggedInTo[]): Promise<Finding[]> {
  const credentials = unique(machines.flatMap(({ credential, jump }) => [credential, ...hopsOf(jump).map((one) => one.credential)]));
  const secrets = unique([
    ...credentials.flatMap((one) => (one.kind === "file" ? withUse(one.passphrase, "keyPassphrase", "key passphrase") : [])),
    ...machines.flatMap(({ sudoPassword }) => withUse(sudoPassword, "sudoPassword", "sudo password")),
  ]);
  const found = await Promise.all(unique(credentials.map(withoutPassphrase)).map(credentialFinding));
  return [...found, ...secrets.map(secretFinding)];
}

export async function agentFinding(socket: string): Promise<Finding> {
  const name = "ssh-agent";
  const hint = "Start one and add the key: eval $(ssh-agent); ssh-add";
  if (socket === "") return { name, ok: false, found: "hosts want it, and SSH_AUTH_SOCK is not set", hint };
  const keys = await keysInAgent(socket);
  if (keys === undefined) return { name, ok: false, found: `nothing answers at ${socket}`, hint };
  if (keys === 0) return { name, ok: false, found: "it holds no key", hint: "ssh-add PATH-OF-KEY" };
  return { name, ok: true, found: `it holds ${countOf(keys, "key")}` };
}

export function keyFinding(reference: string): Finding {
  const name = "SSH key";
  const path = ownPath(reference);
  try {
    readFileSync(path);
  } catch (error) {
    return { name, ok: false, found: describeError(error), hint: "Put it there, or name another in the settings (key)." };
  }
  const isPrivate = (statSync(path).mode & 0o077) === 0;
  return isPrivate ? { name, ok: true, found: path } : { name, ok: false, found: `others may read ${path}`, hint: `chmod 600 ${path}` };
}

/** Whether a secret can be read here and now; what it is, is nobody's business. */
export function secretFinding({ reference, use }: { readonly reference: SecretReference; readonly use: SecretUse }): Finding {
  const problem = secretProblem(reference, use);
  if (problem !== undefined) return { name: use.what, ok: false, found: problem.problem, hint: problem.hint };
  const places = {
    env: "is in its environment variable",
    file: "is in its file, which others can't read",
    ask: "is asked for at the terminal",
  };
  return { name: use.what, ok: true, found: places[reference.kind] };
}

async function credentialFinding(credential: CredentialReference): Promise<Finding> {
  return credential.kind === "agent" ? await agentFinding(process.env.SSH_AUTH_SOCK ?? "") : keyFinding(credential.path);
}

function withUse(reference: SecretReference | undefined, setting: SecretUse["setting"], what: string) {
  return reference === undefined ? [] : [{ reference, use: { what, where: "settings", setting } }];
}

/** The same key is looked at once, wherever its passphrase is said to be. */
function withoutPassphrase(credential: CredentialReference): CredentialReference {
  return credential.kind === "file" ? { kind: "file", path: credential.path } : credential;
}

function unique<T>(all: readonly T[]): T[] {
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}
