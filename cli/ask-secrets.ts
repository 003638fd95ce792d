/** Asks for the secrets that settings leave to the person at the terminal (`ask`): once each, unseen, for this process and those that it starts. */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { describeError, SpillwayError } from "../agent/contract/errors.ts";
import { type CredentialReference, hopsOf, type Machine, type SecretReference } from "../agent/contract/machine.ts";
import { opensKey } from "../bootstrap/ssh/credential.ts";
import { answersGiven, giveAnswer } from "../bootstrap/ssh/secret.ts";
import { readSettings } from "../stacks/settings-file.ts";
import { wantedMachines } from "../stacks/wanted-machines.ts";
import { clearStatus, say } from "./output.ts";

type LoggedInTo = Pick<Machine, "credential" | "sudoPassword" | "jump">;

/** Something to be asked for: a sudo password, or the passphrase of a key, which can be tried. */
export interface Question {
  readonly what: string;
  readonly key?: string;
}

const passphraseTries = 3;

/** For all hosts of an environment's node pools. Throws what reading the settings throws, and `secret-missing` without a terminal. */
export async function askSecrets(environment: string): Promise<void> {
  const machines = wantedMachines(readSettings(environment));
  await askSecretsOf(machines.flatMap((one) => (one.provider === "ssh" ? [one.host] : [])));
}

/** For all hosts that its state knows: a teardown does not go by the settings. */
export async function askSecretsOfState(environment: string): Promise<void> {
  if (!mayHaveHosts(environment)) return;
  const { knownMachines } = await import("../stacks/workflow/machines.ts");
  await askSecretsOf((await knownMachines(environment)).machines.map(({ machine }) => machine));
}

/** Asking the state takes seconds; of settings that can't be read nothing is known. */
function mayHaveHosts(environment: string): boolean {
  try {
    return wantedMachines(readSettings(environment)).some(({ provider }) => provider === "ssh");
  } catch {
    return true;
  }
}

/** For these machines; nothing is asked twice. */
export async function askSecretsOf(machines: readonly LoggedInTo[], { hasTerminal = process.stdin.isTTY } = {}): Promise<void> {
  const given = answersGiven();
  const open = questionsOf(machines).filter(({ what }) => given[what] === undefined);
  const [first] = open;
  if (first === undefined) return;
  if (!hasTerminal) {
    throw new SpillwayError(`${first.what} is to be asked for (ask), and there is no terminal`, {
      code: "secret-missing",
      hint: `Without a terminal write ${first.key === undefined ? "sudoPassword" : "keyPassphrase"}: env:NAME or file:~/PATH in the settings.`,
    });
  }
  clearStatus();
  for (const question of open) giveAnswer(question.what, await answerTo(question));
}

/** What is to be asked for, each thing once. */
export function questionsOf(machines: readonly LoggedInTo[]): Question[] {
  const all = machines.flatMap(({ credential, sudoPassword, jump }) => [
    ...[credential, ...hopsOf(jump).map((one) => one.credential)].flatMap(passphraseQuestion),
    ...askedFor(sudoPassword).map((what) => ({ what })),
  ]);
  return [...new Map(all.map((question) => [question.what, question])).values()];
}

function passphraseQuestion(credential: CredentialReference): Question[] {
  if (credential.kind !== "file") return [];
  return askedFor(credential.passphrase).map((what) => ({ what, key: credential.path }));
}

function askedFor(secret: SecretReference | undefined): string[] {
  return secret?.kind === "ask" ? [secret.what] : [];
}

/** A passphrase that does not open its key is asked for again, here where that costs nobody a login. */
async function answerTo({ what, key }: Question): Promise<string> {
  for (let tries = 1; ; tries++) {
    const answer = await askUnseen(`${what.charAt(0).toUpperCase()}${what.slice(1)}: `);
    if (key === undefined || opens(key, answer)) return answer;
    if (tries >= passphraseTries)
      throw new SpillwayError(`${what} was not right`, { code: "secret-missing", hint: `Try it: ssh-keygen -y -f ${key}` });
    say("It does not open the key. Once more:");
  }
}

/** What can't be read is told when it is used, with the machine that wants it. */
function opens(key: string, passphrase: string): boolean {
  try {
    return opensKey(key, passphrase);
  } catch (error) {
    say(describeError(error));
    return true;
  }
}

/** What is typed is shown nowhere. */
async function askUnseen(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  prompt.once("SIGINT", () => {
    prompt.close();
    process.kill(process.pid, "SIGINT");
  });
  process.stderr.write(question);
  try {
    return await prompt.question("");
  } finally {
    prompt.close();
    process.stderr.write("\n");
  }
}
