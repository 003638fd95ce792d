/** `spillway nodes shell NODE`: a shell on a node's machine, or one command there. */
import type { Command } from "commander";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { chosenEnvironment } from "../chosen-environment.ts";
import { withEnvironment, withExamples } from "../command-options.ts";
import { exitCodes, report } from "../dispatch.ts";
import { clearStatus, status } from "../output.ts";

export function registerNodesShell(nodes: Command): void {
  const command = nodes
    .command("shell")
    .description("A shell on a node's machine, over SSH as `up` uses it: by its key, its jump host, its pinned host key.")
    .argument("<node>", "the node's name, or its machine's address")
    .argument("[command...]", "one command instead of a shell, after --; no shell is put before it")
    .action(async (node: string, words: string[]) => {
      process.exitCode = await shell(command, node, words).catch((error: unknown) => {
        const code = report(error);
        return code === exitCodes.failure ? exitCodes.ownFailureOfRun : code;
      });
    });
  withExamples(withEnvironment(command), [
    "spillway nodes shell rack-17",
    "spillway nodes shell rack-17 -- journalctl -u spillway-agent -n 50",
    "spillway nodes shell rack-17 -- sh -c 'df -h $HOME'",
  ]);
  command.addHelpText(
    "after",
    `
Without a command it needs a terminal. Machines on this computer have no login shell: they run commands only.
Exit code: that of the shell or command, 128 + its number for a signal. 125: Spillway could not run it.`,
  );
}

async function shell(command: Command, node: string, words: readonly string[]): Promise<number> {
  const environment = chosenEnvironment(command);
  const { stdin, stdout, stderr } = process;
  // Before the state is read, which takes a moment.
  if (words.length === 0 && !(stdin.isTTY && stdout.isTTY)) {
    throw new SpillwayError("a shell needs a terminal, and there is none", {
      code: "usage",
      hint: `Give a command: spillway nodes shell ${node} -- COMMAND`,
    });
  }
  status(`  looking up ${node}`);
  const machine = await machineCalled(environment, node);
  const { openShell, runOnMachine } = await import("../../bootstrap/ssh/shell.ts");
  if (words.length === 0 && machine.provider === "local") {
    throw new SpillwayError(`${machine.name} is a machine on this computer: it has no login shell, it runs commands only`, {
      code: "usage",
      hint: `spillway nodes shell ${machine.name} -- COMMAND`,
    });
  }
  clearStatus();
  // A shell has no use for the sudo password: whoever sits there types it.
  const { askSecretsOf } = await import("../ask-secrets.ts");
  await askSecretsOf([{ ...machine, sudoPassword: undefined }]);
  if (words.length > 0) return await runOnMachine(machine, words, { stdin, stdout, stderr });
  return await openShell(machine, { stdin, stdout, kind: process.env.TERM ?? "xterm" });
}

async function machineCalled(environment: string, node: string): Promise<Machine> {
  const { findMachine, knownMachines, noSuchMachine } = await import("../../stacks/workflow/machines.ts");
  const machines = (await knownMachines(environment)).machines.map(({ machine }) => machine);
  const found = findMachine(machines, (machine) => machine, node);
  if (found === undefined) throw noSuchMachine(environment, node, machines);
  return found;
}
