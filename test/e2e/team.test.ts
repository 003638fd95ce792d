/** Two operators with a clone and a home each, one shared backend and passphrase; and CI's workflow file, whose commands are run as they stand there. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse } from "yaml";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { processesOf } from "../support/leftovers.ts";
import type { CommandOutcome } from "../support/outcome-of.ts";
import { waitUntil } from "../support/wait-until.ts";

const environment = "team";
const settingsFile = `stacks/environment/Pulumi.${environment}.yaml`;
let shared: string;
let anna: Operator;
let ben: Operator;

interface Operator {
  readonly checkout: Checkout;
  readonly env: Record<string, string>;
}

beforeAll(() => {
  shared = realpathSync(mkdtempSync(join(tmpdir(), "spillway-team-")));
  mkdirSync(join(shared, "backend"));
  [anna, ben] = [operator("anna"), operator("ben")];
  writeSettings(anna, 1);
  writeSettings(ben, 1);
});
afterAll(() => {
  for (const { checkout } of [anna, ben]) checkout.remove();
  for (const { pid } of processesOf(shared)) process.kill(pid, "SIGKILL");
  rmSync(shared, { recursive: true, force: true, maxRetries: 5 });
});

/** Machines of this computer lie in one place, since both sit at it; hosts of one's own would lie elsewhere anyway. */
function operator(name: string): Operator {
  const home = join(shared, name);
  mkdirSync(home);
  return {
    checkout: makeCheckout(environment),
    env: {
      HOME: home,
      SPILLWAY_CACHE: process.env.SPILLWAY_CACHE ?? join(homedir(), ".cache", "spillway"),
      SPILLWAY_STATE_DIR: join(shared, "state"),
      PULUMI_BACKEND_URL: pathToFileURL(join(shared, "backend")).href,
      PULUMI_CONFIG_PASSPHRASE: "the team's own",
    },
  };
}

/** Without bursts: their burster belongs to one computer. */
function writeSettings({ checkout }: Operator, machines: number): void {
  const file = join(checkout.directory, settingsFile);
  const salt = existsSync(file) ? /^encryptionsalt:.*$/m.exec(readFileSync(file, "utf8"))?.[0] : undefined;
  const pools = `{ m: { provider: local, count: ${machines} } }`;
  writeFileSync(
    file,
    `config:\n  spillway:environment:\n    masters: { pool: m }\n    pools: ${pools}\n${salt === undefined ? "" : `${salt}\n`}`,
  );
}

/** As a pull from the repository. */
function pull(from: Operator, to: Operator): void {
  cpSync(join(from.checkout.directory, settingsFile), join(to.checkout.directory, settingsFile));
}

function spillway({ checkout, env }: Operator, ...words: string[]): Promise<CommandOutcome> {
  return checkout.spillway(words, { env });
}

async function expectCode(code: number, outcome: Promise<CommandOutcome>): Promise<CommandOutcome> {
  const ended = await outcome;
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ code });
  return ended;
}

it("what one operator has made is nothing to change for the other", async () => {
  await expectCode(0, spillway(anna, "up", environment, "--yes"));
  pull(anna, ben);
  expect((await expectCode(0, spillway(ben, "preview", environment, "--expect-no-changes"))).stdout).toContain("Nothing to change.");
  expect((await expectCode(0, spillway(ben, "up", environment, "--yes"))).stdout).toContain("Nothing changed.");
});

it("what one changes the other sees, has, and can change again", async () => {
  writeSettings(ben, 2);
  const drift = await expectCode(3, spillway(ben, "preview", environment, "--expect-no-changes"));
  expect(drift.stdout).toMatch(/\+ node m-2 +create/);
  await expectCode(0, spillway(ben, "up", environment, "--yes"));
  pull(ben, anna);
  expect((await expectCode(0, spillway(anna, "preview", environment, "--expect-no-changes"))).stdout).toContain("Nothing to change.");
});

it("of two at the same time the second is told who is at it, and changes nothing", async () => {
  writeSettings(anna, 3);
  const first = anna.checkout.start(["up", environment, "--yes"], { env: anna.env });
  const locks = join(shared, "backend", ".pulumi", "locks");
  await waitUntil(
    "it holds the lock",
    async () => existsSync(locks) && readdirSync(locks, { recursive: true }).some((name) => String(name).endsWith(".json")),
    60_000,
  );
  const second = await spillway(ben, "up", environment, "--yes");
  expect(second.code).toBe(1);
  expect(second.stderr).toMatch(/process \d+ is changing this environment right now/);
  await expectCode(0, first.outcome);
  pull(anna, ben);
});

interface Workflow {
  readonly env: Record<string, string>;
  readonly jobs: Record<string, { readonly steps: readonly { readonly uses?: string; readonly run?: string }[] }>;
}

it("the workflow's own commands do what it says: preview, up, and a drift that is told", async () => {
  const workflow = parse(readFileSync(join(ben.checkout.directory, "examples/ci/github-actions.yml"), "utf8")) as Workflow;
  const secrets: Record<string, string> = { ...ben.env, SSH_KEY: "a key" };
  const env = { ...ben.env };
  for (const [name, value] of Object.entries(workflow.env)) {
    const secret = /^\$\{\{ secrets\.(\w+) \}\}$/.exec(value)?.[1];
    env[name] = secret === undefined ? value : (secrets[secret] ?? "");
  }
  expect(workflow.env.SPILLWAY_ENV).toBe("prod");
  env.SPILLWAY_ENV = environment;
  const runJob = async (name: string) => {
    let last: CommandOutcome | undefined;
    for (const { run } of workflow.jobs[name]?.steps ?? []) {
      if (run === undefined) continue;
      last = await ben.checkout.run("bash", ["-e", "-c", run], { env });
      if (last.code !== 0) return last;
    }
    return last as CommandOutcome;
  };
  expect((await expectCode(0, runJob("drift"))).stdout).toContain("Nothing to change.");
  expect(readFileSync(join(ben.env.HOME as string, ".ssh", "id_ed25519"), "utf8")).toBe("a key\n");
  writeSettings(ben, 2);
  expect((await expectCode(0, runJob("preview"))).stdout).toMatch(/- node m-3 +delete/);
  await expectCode(3, runJob("drift"));
  expect((await expectCode(0, runJob("up"))).stdout).toMatch(/One pool: 2 nodes/);
  await expectCode(0, runJob("drift"));
});

it("either of them can take it down, and nothing is left", async () => {
  pull(ben, anna);
  await expectCode(0, spillway(anna, "destroy", environment, "--yes"));
  expect(processesOf(shared)).toEqual([]);
  expect(readdirSync(join(shared, "state", environment))).toEqual(["logs"]);
  expect((await expectCode(0, spillway(ben, "destroy", environment, "--yes"))).stdout).toContain("There was nothing");
});
