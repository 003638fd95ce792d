/** `spillway nodes adopt ENV`: the state and the context were lost; the machines bring the environment back. */
import type { Command } from "commander";
import type { Machine } from "../../agent/contract/machine.ts";
import { whereOf } from "../../agent/contract/machine.ts";
import { formatCpu, formatDuration, formatUsd } from "../../agent/contract/quantities.ts";
import type { AdoptionLook } from "../../stacks/workflow/adopt.ts";
import { ask, refuseWithoutTerminal } from "../ask.ts";
import { outputOption, usageError, wantsJson, withExamples } from "../command-options.ts";
import { interruptible } from "../interruptible.ts";
import { clearStatus, countOf, plain, print, printJson, say, status } from "../output.ts";
import { showRows } from "../progress-rows.ts";

interface AdoptOptions {
  readonly trust: readonly string[];
  readonly yes?: boolean;
}

export function registerNodesAdopt(nodes: Command): void {
  const command = nodes
    .command("adopt")
    .description("Take an environment over whose state was lost: its machines say whose they are, and their tasks go on.")
    .argument("<environment>", "the one whose settings name the machines, e.g. prod")
    .option(
      "--trust <[node=]SHA256:…>",
      "a host key that you have compared; without a node's name that of the master's machine. May be given more than once",
      (one: string, all: readonly string[]) => [...all, one],
      [],
    )
    .option("-y, --yes", "do not ask")
    .addOption(outputOption())
    .action(async (environment: string, options: AdoptOptions) => {
      await adoptEnvironment(command, environment, options);
    });
  withExamples(command, ["spillway nodes adopt prod", "spillway nodes adopt prod --trust SHA256:Qd3… --yes"]);
  command.addHelpText(
    "after",
    `
It needs the settings file and the machines. Hosts are verified by the hostKey of the settings; where they have
trustOnFirstUse instead, by the pins that the master keeps, whose own key you confirm once. The environment gets a new
root CA and a new admin token; whoever had the former context needs the new one. Interrupted, it goes on when it is run again.`,
  );
}

async function adoptEnvironment(command: Command, environment: string, { trust, yes = false }: AdoptOptions): Promise<void> {
  const begun = Date.now();
  const trusted = trustedKeys(trust);
  const again = `spillway nodes adopt ${environment}${trust.map((one) => ` --trust ${one}`).join("")}`;
  const { adopt, lookForAdoption } = await import("../../stacks/workflow/adopt.ts");
  await (await import("../ask-secrets.ts")).askSecrets(environment);
  status("  looking for what is there");
  const look = await lookForAdoption(environment, {
    trusted,
    confirmKey: (machine, presented) => confirmKey(machine, presented, again),
    onProgress: (text) => status(`  ${plain(text)}`),
  });
  clearStatus();
  say(adoptionText(environment, look));
  if (!yes) {
    refuseWithoutTerminal(`${again} --yes`);
    if ((await ask(`Adopt ${environment}? (yes/no) `, `${again} --yes`)) !== "yes") return say("Nothing was changed.");
  }
  const result = await interruptible(again, () => adopt(environment, look, { onRow: showRows(), onNotice: say, again }));
  const { unnamed } = look;
  if (wantsJson(command)) return printJson({ ...result, environmentId: look.environmentId, unnamed, seconds: (Date.now() - begun) / 1000 });
  const { pool } = result;
  print(
    `${environment} is back: ${countOf(pool.nodes, "node")} · ${formatCpu(pool.cpuMillicores)} cpu · ${formatUsd(pool.hourly)}/hour     ${formatDuration(Date.now() - begun)}`,
  );
  for (const problem of result.leftOut) print(`  left out    ${problem.replaceAll("\n", "\n              ")}`);
  if (result.ended.length > 0)
    print(`  bursts      ${result.ended.join(", ")} end now (to look: spillway burst list --env ${environment})`);
  for (const name of unnamed) print(`  unnamed     node ${name} is in no settings: spillway nodes remove ${name} --env ${environment}`);
  print(`  master      ${result.masterUrl}   (access: ./spillway login --env ${environment})`);
  return print(`  next        ./spillway fsck ${environment}`);
}

/** `SHA256:…` or `name=SHA256:…` → by name; "" is the master's machine. */
export function trustedKeys(texts: readonly string[]): Map<string, string> {
  return new Map(
    texts.map((text): [string, string] => {
      const [, name = "", fingerprint] = /^(?:([a-z0-9-]+)=)?(SHA256:[A-Za-z0-9+/]{43})$/.exec(text) ?? [];
      if (fingerprint === undefined)
        throw usageError(
          `--trust: "${text}" is not a fingerprint`,
          "Write it as `ssh-keygen -lf` shows it, SHA256: and 43 characters; for another machine than the master's: NODE=SHA256:…",
        );
      return [name, fingerprint];
    }),
  );
}

async function confirmKey(machine: Machine, presented: string, again: string): Promise<boolean> {
  clearStatus();
  say(`${whereOf(machine)} presents ${presented}, and nothing vouches for that key.`);
  say("Compare it on the host itself, not over the network: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
  return (await ask("Is it the same? Trust it? (yes/no) ", `${again} --trust ${machine.name}=${presented}`)) === "yes";
}

/** What was found and what will be done, before anything is. */
export function adoptionText(environment: string, look: AdoptionLook): string {
  const { environmentId, supersedes, adopted, fresh, missing, unnamed, bursts, hasRecords, keys, machines } = look;
  const lines = [`${environment} (${environmentId}): ${adopted.length} of ${countOf(machines, "machine")} say that they are its own`];
  if (supersedes) lines.push("  first       the stack that an up has begun since, with no node in it, is taken away");
  if (fresh.length > 0) lines.push(`  new         ${fresh.join(", ")}: nobody's yet; they become nodes like any new machine`);
  for (const { where, why } of missing) lines.push(`  missing     ${plain(where)}: ${plain(why.split("\n")[0] ?? "")}`);
  if (keys.size > 0)
    lines.push(`  verified    ${countOf(keys.size, "host")} by the master's pins or your word, the others by the settings`);
  lines.push("  renewed     root CA, certificates and admin token; every node joins anew with them");
  lines.push(`  tasks       ${tasksText(hasRecords)}`);
  if (bursts.length > 0) {
    const hourly = bursts.reduce((sum, burst) => sum + burst.hourly, 0);
    lines.push(
      `  bursts      ${bursts.map(({ id }) => id).join(", ")} (${formatUsd(hourly)}/hour) end; their tasks are tried again elsewhere`,
    );
  }
  if (unnamed.length > 0)
    lines.push(`  unnamed     ${unnamed.join(", ")}: nodes of the master's records that the settings do not name; they stay as they are`);
  return lines.join("\n");
}

function tasksText(hasRecords: boolean | undefined): string {
  if (hasRecords === true) return "they go on; the master has its records";
  if (hasRecords === false) return "the master's records are gone, so nobody knows them any more: what runs on nodes is ended";
  return "they go on if the master has its records, which could not be read before it runs";
}
