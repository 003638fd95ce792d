/** `spillway nodes trust NODE`: another host key for a host that was made anew, compared by a person. */

import type { Command } from "commander";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { whereOf } from "../../agent/contract/machine.ts";
import type { HostKeys } from "../../stacks/workflow/trust.ts";
import { ask, refuseWithoutTerminal } from "../ask.ts";
import { chosenEnvironment } from "../chosen-environment.ts";
import { usageError, wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { clearStatus, plain, print, printJson, say, status } from "../output.ts";
import { showRows } from "../progress-rows.ts";

export function registerNodesTrust(nodes: Command): void {
  const command = nodes
    .command("trust")
    .description("Pin the host key that a host presents now, in place of the one that was pinned at its first use.")
    .argument("<node>", "the node's name, or its machine's address")
    .option("--fingerprint <SHA256:…>", "the key to trust, compared before; does not ask")
    .action(async (node: string, options: { fingerprint?: string }) => {
      await trust(command, node, options.fingerprint);
    });
  withExamples(withEnvironment(command), ["spillway nodes trust rack-17", "spillway nodes trust 192.0.2.17 --fingerprint SHA256:Qd3… "]);
  command.addHelpText(
    "after",
    `
Nobody logs in to the host for this: it only shows its key. A key that stands in the settings (hostKey) or in known_hosts
is changed there, by you; where, is told. Spare hosts of bursts are compared in the same way.`,
  );
}

async function trust(command: Command, node: string, fingerprint: string | undefined): Promise<void> {
  if (fingerprint !== undefined && !/^SHA256:[A-Za-z0-9+/]{43}$/.test(fingerprint))
    throw usageError("--fingerprint: write it as `ssh-keygen -lf` shows it: SHA256: and 43 characters");
  const environment = chosenEnvironment(command);
  const { hostKeysOf, pinHostKey } = await import("../../stacks/workflow/trust.ts");
  const { askSecretsOf } = await import("../ask-secrets.ts");
  status(`  asking ${node} for its host key`);
  const keys = await hostKeysOf(environment, node, (machine) => askSecretsOf([machine]));
  clearStatus();
  const { machine, pinned, presented } = keys;
  const tell = (trusted: boolean, problem?: string) =>
    printJson({ machine: machine.name, pinned: pinned ?? null, presented, trusted, ...(problem === undefined ? {} : { problem }) });
  if (presented === pinned) {
    if (wantsJson(command)) return tell(true);
    return print(`${machine.name} presents the key that is pinned, ${presented}: there is nothing to do.`);
  }
  say(comparison(keys));
  if (fingerprint !== undefined) refuseOther(fingerprint, keys);
  else if (keys.pinnedAt === undefined && keys.urn !== undefined && !(await agreed(node, presented))) return say("Nothing was changed.");
  status(`  pinning ${presented}`);
  const { problem } = await pinHostKey(environment, keys, { onRow: showRows(), onNotice: tellNotice });
  if (wantsJson(command)) return tell(true, problem);
  print(`${machine.name} is trusted by ${presented} from now on.`);
  if (problem !== undefined) print(`  it can't be used yet: ${plain(problem.split("\n")[0] ?? "")}`);
  return print(`  next        ./spillway up ${environment}`);
}

/** A run of one resource alone tells of outputs that it does not have; nothing is lost by it. */
function tellNotice(text: string): void {
  if (!text.startsWith("Undefined value")) say(text);
}

function comparison({ machine, pinned, presented }: HostKeys): string {
  const where = `${machine.name} (${machine.host}:${machine.port})`;
  const head =
    pinned === undefined ? `${where} has no pinned host key.` : `${where} presents another host key than the one that is pinned.`;
  const rows = [...(pinned === undefined ? [] : [`  pinned     ${pinned}`]), `  presented  ${presented}`];
  const next = "Compare it on the host itself, not over the network: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub";
  return [head, ...rows, next].join("\n");
}

function refuseOther(fingerprint: string, { machine, presented }: HostKeys): void {
  if (fingerprint === presented) return;
  throw new SpillwayError(`it presents ${presented}, not ${fingerprint}: nothing was changed`, {
    code: "host-key-mismatch",
    where: whereOf(machine),
    hint: "Somebody may stand between you and it. Compare the key on the host itself.",
  });
}

async function agreed(node: string, presented: string): Promise<boolean> {
  const instead = `spillway nodes trust ${node} --fingerprint ${presented}`;
  refuseWithoutTerminal(instead);
  return (await ask("Is it the same? Trust it? (yes/no) ", instead)) === "yes";
}
