/** `spillway upgrade ENV`: moves its master and nodes to this version, batch by batch; with `--revert` back to what they ran. */

import type { Command } from "commander";
import { short } from "../../agent/contract/bundle-platform.ts";
import { formatDuration } from "../../agent/contract/quantities.ts";
import { productVersion } from "../../agent/contract/version.ts";
import type { PlannedRole, UpgradePlan } from "../../stacks/workflow/upgrade.ts";
import { ask, refuseWithoutTerminal } from "../ask.ts";
import { askSecrets } from "../ask-secrets.ts";
import { outputOption, wantsJson, withExamples } from "../command-options.ts";
import { interruptible } from "../interruptible.ts";
import { clearStatus, countOf, plain, print, printJson, say, status, table } from "../output.ts";
import { showRows } from "../progress-rows.ts";

interface Options {
  readonly yes?: boolean;
  readonly revert?: boolean;
}

export function registerUpgrade(program: Command): void {
  const command = program
    .command("upgrade")
    .description("Move the environment's master and nodes to this version, batch by batch; tasks go on.")
    .argument("<environment>", "e.g. prod")
    .option("--revert", "take them back to what they ran before; that version is left alone from then on until upgrade is run again")
    .option("-y, --yes", "do not ask")
    .addOption(outputOption())
    .action(async (environment: string, options: Options) => {
      await run(command, environment, options);
    });
  withExamples(command, ["spillway upgrade prod", "spillway upgrade prod --yes", "spillway upgrade prod --revert"]);
  command.addHelpText(
    "after",
    `
The master goes first, then the canary, then batches, as upgrade: in the settings says. A node is well when its agent has joined,
its heartbeats come and every task that ran on it was taken over; else its batch goes back and nothing else is touched.
It is the same run as \`spillway up\`: what else the settings have changed is made, too.`,
  );
}

async function run(command: Command, environment: string, { yes = false, revert = false }: Options): Promise<void> {
  const begun = Date.now();
  const { planUpgrade, runningBundles, upgrade } = await import("../../stacks/workflow/upgrade.ts");
  const wish = revert ? "revert" : "upgrade";
  await askSecrets(environment);
  const plan = await planUpgrade(environment, wish, (text) => status(`  ${text}`));
  clearStatus();
  for (const line of planLines(plan, wish)) say(line);
  const instead = `spillway upgrade ${environment}${revert ? " --revert" : ""} --yes`;
  if (!yes) {
    refuseWithoutTerminal(instead);
    if ((await ask(revert ? "Go back? (yes/no) " : "Upgrade? (yes/no) ", instead)) !== "yes") return say("Nothing was changed.");
  }
  const options = { onRow: showRows(), onNotice: say, onStart: () => status("  looking at what is there") };
  const result = await interruptible(`./spillway ${instead.slice("spillway ".length)}`, () => upgrade(environment, wish, options));
  const roles = await runningBundles(environment);
  if (wantsJson(command)) return printJson({ ...result, roles, seconds: (Date.now() - begun) / 1000 });
  for (const line of endLines(environment, wish, roles)) print(line);
  return print(`  took        ${formatDuration(Date.now() - begun)}`);
}

/** What would be done, for a person; pure. */
export function planLines({ roles, strategy, uploads, held, masterProblem }: UpgradePlan, wish: "upgrade" | "revert"): string[] {
  const moving = roles.filter(({ what }) => what === "moves");
  const rows = roles.map((role) => [`  ${role.name}`, shortOf(role), role.what === "moves" ? `→ ${targetOf(role, wish)}` : wordOf(role)]);
  const { canary, batchNodes, healthTimeoutMs, autoRevert } = strategy;
  const first = canary === 0 ? "" : `${countOf(canary, "node")} first, then `;
  const lines = [
    wish === "upgrade" ? `Upgrade to ${productVersion}` : "Back to what ran before",
    table([{ title: "  role" }, { title: "runs" }, { title: "" }], rows),
  ];
  if (masterProblem !== undefined)
    lines.push(`  ${plain(masterProblem)}`, "  This is what was recorded last. The run mends the master first, then goes by what it says.");
  if (moving.length === 0) {
    // On the way back the machines know more than the state does.
    lines.push(wish === "upgrade" ? "  Everything runs this version." : "  No way back is on record; the machines themselves are asked.");
  } else {
    lines.push(
      `  ${wish === "upgrade" ? "the master, then " : ""}${first}${batchNodes} at a time; each has ${formatDuration(healthTimeoutMs)} to be well; ${
        autoRevert && wish === "upgrade" ? "a batch that fails goes back, and nothing else is touched" : "a failure stops it"
      }`,
    );
    if (uploads.bytes > 0)
      lines.push(`  to be brought to ${countOf(uploads.machines, "machine")}: ${(uploads.bytes / 1024 ** 2).toFixed(1)} MiB at most`);
  }
  if (held.length > 0 && wish === "upgrade") lines.push(`  lifts what the revert of ${held.map(short).join(", ")} holds back`);
  return lines;
}

function shortOf({ from, fromVersion }: PlannedRole): string {
  const version = fromVersion === undefined ? "" : ` ${plain(fromVersion)}`;
  return `${from === undefined ? "(does not say)" : short(from)}${version}`;
}

function targetOf({ to }: PlannedRole, wish: "upgrade" | "revert"): string {
  if (to === undefined) return "the bundle before";
  return wish === "upgrade" ? `${short(to)} ${productVersion}` : short(to);
}

function wordOf({ what, why }: PlannedRole): string {
  return why === undefined ? what : `${what}: ${plain(why)}`;
}

function endLines(
  environment: string,
  wish: "upgrade" | "revert",
  roles: readonly { readonly name: string; readonly bundle: string | undefined; readonly version: string | undefined }[],
): string[] {
  const groups = Map.groupBy(
    roles,
    ({ bundle, version }) => `${version ?? "?"} (${bundle === undefined ? "does not say" : short(bundle)})`,
  );
  const width = Math.max(...[...groups.keys()].map(({ length }) => length));
  const runs = [...groups].map(([what, group]) => {
    const nodes = group.filter(({ name }) => name !== "master").length;
    const words = [...(nodes < group.length ? ["the master"] : []), ...(nodes === 0 ? [] : [countOf(nodes, "node")])];
    return `  ${what.padEnd(width)}  ${words.join(" and ")}`;
  });
  const next =
    wish === "upgrade"
      ? `  next        ./spillway pool --env ${environment}; to take it back: ./spillway upgrade ${environment} --revert`
      : `  next        ./spillway up ${environment} leaves it so; ./spillway upgrade ${environment} tries that version again`;
  return ["Runs now:", ...runs, next];
}
