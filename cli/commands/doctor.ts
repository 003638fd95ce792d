/** `spillway doctor [HOST]`: what is wrong with this computer and its environments, or with one machine; nothing is changed. */

import type { Command } from "commander";
import { whereOf } from "../../agent/contract/machine.ts";
import type { Finding } from "../../bootstrap/findings.ts";
import { environmentsDescribed } from "../../stacks/state-layout.ts";
import { chosenEnvironment, environmentsBegun } from "../chosen-environment.ts";
import { wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { exitCodes } from "../dispatch.ts";
import { environmentNameOf } from "../environment-context.ts";
import { clearStatus, countOf, paint, plain, print, printJson, status } from "../output.ts";

interface Section {
  readonly title: string;
  readonly findings: readonly Finding[];
}

export function registerDoctor(program: Command): void {
  const command = program
    .command("doctor")
    .description("Look at this computer, this clone and its environments; or at one machine, as `up` would before it changes it.")
    .argument("[host]", "a machine's name or address, of the environment's settings or state")
    .action(async (host: string | undefined) => {
      const sections = host === undefined ? await examineComputer(command) : await examineHost(command, host);
      const wrong = sections.flatMap(({ findings }) => findings).filter(({ ok }) => !ok).length;
      if (wrong > 0) process.exitCode = exitCodes.failure;
      if (wantsJson(command)) return printJson({ ok: wrong === 0, sections });
      print(sections.map(sectionText).join("\n\n"));
      return print(`\n${wrong === 0 ? "Nothing is wrong." : `${countOf(wrong, "thing")} to mend.`}`);
    });
  withExamples(withEnvironment(command), [
    "spillway doctor",
    "spillway doctor rack-17 --env prod",
    "spillway doctor --output json | jq '.sections[].findings[] | select(.ok | not)'",
  ]);
  command.addHelpText("after", "\nNothing is changed, here or there. Exit code: 1 when anything is wrong.");
}

/** With `--env` that environment only. */
async function examineComputer(command: Command): Promise<Section[]> {
  status("  looking at this computer");
  const { computerFindings } = await import("../doctor/computer.ts");
  const { describedFindings, environmentFindings } = await import("../doctor/environment.ts");
  const sections: Section[] = [{ title: "this computer", findings: await computerFindings() }];
  const named = environmentNameOf(command);
  const begun = environmentsBegun();
  const environments = named === undefined ? [...new Set([...begun, ...environmentsDescribed()])].toSorted() : [named];
  for (const environment of environments) {
    status(`  looking at ${environment}`);
    const whole = environment === named || begun.includes(environment);
    const findings = whole ? await environmentFindings(environment) : describedFindings(environment);
    sections.push({ title: `environment ${environment}`, findings });
  }
  clearStatus();
  return sections;
}

async function examineHost(command: Command, host: string): Promise<Section[]> {
  const environment = chosenEnvironment(command);
  status(`  looking up ${host}`);
  const { checkHost } = await import("../../stacks/workflow/check-host.ts");
  const { askSecretsOf } = await import("../ask-secrets.ts");
  const { machine, findings } = await checkHost(environment, host, {
    onProgress: (step) => status(`  ${host}: ${step}`),
    prepare: (subject) => askSecretsOf([subject]),
  });
  clearStatus();
  return [{ title: whereOf(machine), findings }];
}

function sectionText({ title, findings }: Section): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const indent = " ".repeat(width + 6);
  const lines = findings.map(({ name, ok, found, hint }) => {
    const mark = ok ? paint("green", "✓") : paint("red", "✗");
    const told = `  ${mark} ${name.padEnd(width)}  ${block(found, indent)}`;
    // What is fine may still have a hint: a warning.
    return hint === undefined ? told : `${told}\n${indent}${paint("dim", block(hint, indent))}`;
  });
  return [paint("bold", title), ...lines].join("\n");
}

/** Several lines stay several lines; control characters from elsewhere do not reach the terminal. */
function block(text: string, indent: string): string {
  return text.split("\n").map(plain).join(`\n${indent}`);
}
