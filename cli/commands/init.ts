/** `spillway init [ENV]`: five questions, and a settings file to start from. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { settingsFile, settingsPlace } from "../../stacks/state-layout.ts";
import { ask } from "../ask.ts";
import { usageError, withExamples } from "../command-options.ts";
import { type GivenAnswers, type InitAnswers, initAnswers } from "../init/answers.ts";
import { settingsText } from "../init/settings-text.ts";
import { checkSettings, writeSettings } from "../init/write-settings.ts";
import { plain, print, say } from "../output.ts";

interface InitOptions extends GivenAnswers {
  readonly key?: string;
  readonly user: string;
  readonly force?: boolean;
  readonly print?: boolean;
}

export function registerInit(program: Command): void {
  const init = program
    .command("init")
    .description("Write the settings of a new environment, with five questions; each can be answered here instead.")
    .argument("[environment]", "its name: dev, prod …")
    .option("--machines <kind>", "here (this computer), hosts (your own), aws or azure")
    .option("--region <region>", "of machines in a cloud")
    .option("--hosts <hosts>", "names or addresses of your own hosts, with commas")
    .option("--count <number>", "how many machines are made")
    .option("--burst <dollars>", "what may be bought beyond that in a day, in USD; or no")
    .option("--burst-in <place>", "where hosts of your own burst to: aws:eu-central-1")
    .option("--ssh-from <addresses>", "from where machines in a cloud are reached by SSH, and the master dialled; with commas")
    .option("--key <path>", "your private SSH key (default: the first of ~/.ssh/id_ed25519, id_ecdsa, id_rsa with its .pub)")
    .option("--user <name>", "the login on your own hosts", "root")
    .option("--print", "print the settings instead of writing them")
    .option("--force", "write over settings that are there")
    .action(async (given: string | undefined, options: InitOptions) => {
      const someone = process.stdin.isTTY ? async (question: string) => await ask(question, "spillway init --help") : undefined;
      const environment = nameOf(given ?? (await someone?.("What is it called? (dev, prod …)")));
      const file = settingsFile(environment);
      if (options.print !== true && options.force !== true) refuseThere(environment, file);
      const answers = await initAnswers(options, someone);
      const text = settingsText(environment, answers, {
        key: options.key ?? ownKey(answers),
        user: options.user,
        knowsHosts: existsSync(join(homedir(), ".ssh", "known_hosts")),
      });
      if (options.print === true) {
        checkSettings(file, text);
        print(text.trimEnd());
        return;
      }
      writeSettings(file, text, { force: options.force === true });
      say(`${settingsPlace(environment)} is written; look it over, and change what you like: docs/settings.md`);
      print(nextCommands(environment, answers).join("\n"));
    });
  withExamples(init, [
    "spillway init dev",
    "spillway init prod --machines aws --region eu-central-1 --count 2 --burst 20 --ssh-from 203.0.113.7",
    "spillway init lab --machines hosts --hosts 192.0.2.11,192.0.2.12 --user ops --burst no",
  ]);
}

function nameOf(name: string | undefined): string {
  if (name === undefined) throw usageError("which environment?", "spillway init NAME, e.g. spillway init dev");
  if (!/^[A-Za-z0-9_-]{1,40}$/.test(name))
    throw usageError(`"${plain(name)}" can't be an environment's name: use letters, digits, - and _`);
  return name;
}

/** Before anything is asked. */
function refuseThere(environment: string, file: string): void {
  if (!existsSync(file)) return;
  throw new SpillwayError(`${settingsPlace(environment)} is there already`, {
    code: "already-there",
    hint: "Change it with an editor, choose another name, or add --force: then the settings in it are lost.",
  });
}

/** As the settings name it; machines on this computer need none. */
function ownKey({ machines }: InitAnswers): string {
  const names = ["id_ed25519", "id_ecdsa", "id_rsa"];
  const found = names.find((name) => ["", ".pub"].every((end) => existsSync(join(homedir(), ".ssh", `${name}${end}`))));
  if (found !== undefined || machines === "here") return `~/.ssh/${found ?? names[0]}`;
  throw new SpillwayError("there is no SSH key in ~/.ssh with its .pub beside it", {
    code: "no-ssh-key",
    hint: "Make one with ssh-keygen -t ed25519, or name yours with --key ~/PATH.",
  });
}

/** From the first look to the first machine, a line each. */
export function nextCommands(environment: string, { machines, hosts, burstIn }: InitAnswers): string[] {
  const inCloud = machines === "aws" || machines === "azure" || burstIn !== undefined;
  const commands = [
    ...(inCloud ? [`./spillway prices refresh ${environment}   # what it will cost; needs the cloud's credentials`] : []),
    ...(machines === "hosts" ? [`./spillway doctor ${hosts[0] ?? ""} --env ${environment}   # what its hosts lack`] : []),
    `./spillway ${machines === "here" ? "up" : "preview"} ${environment}`,
  ];
  return commands.map((command, at) => `  ${(at === 0 ? "next" : "").padEnd(12)}${command}`);
}
