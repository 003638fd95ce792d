/**
 * `node test/cloud/smoke.ts --cloud aws`: the whole circle in its smallest form on a real cloud: up, run, burst, destroy; then
 * the cloud is asked by tag that nothing is left. It makes two machines for about ten minutes, tells what that costs and asks
 * first (`--yes` answers). Credentials are those that the cloud's own tools find. It ends with 0 when all went well.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { type Client, createClient } from "../../agent/contract/client.ts";
import type { Listing } from "../../providers/provider.ts";
import { providerOf } from "../../providers/registry.ts";
import { type Checkout, makeCheckout, readContext } from "../support/checkout.ts";

const usual = {
  aws: { region: "eu-central-1", type: "t3.small" },
  azure: { region: "westeurope", type: "Standard_B2s" },
} as const;
/** Longer than all of it takes; what is paid at the most. */
const longestHours = 0.5;

const { values } = parseArgs({
  options: {
    cloud: { type: "string" },
    region: { type: "string" },
    type: { type: "string" },
    from: { type: "string" },
    yes: { type: "boolean", default: false },
  },
});
if (values.cloud !== "aws" && values.cloud !== "azure") {
  console.error("usage: node test/cloud/smoke.ts --cloud aws|azure [--region R] [--type T] [--from CIDR] [--yes]");
  process.exit(2);
}
const { cloud } = values;
const { region = usual[cloud].region, type = usual[cloud].type } = values;
const environment = "smoke";

const began = Date.now();
function say(text: string): void {
  console.log(`${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);
}

/** The address that the cloud will see us come from. */
async function ownAddress(): Promise<string> {
  const answer = await fetch("https://checkip.amazonaws.com", { signal: AbortSignal.timeout(10_000) });
  return `${(await answer.text()).trim()}/32`;
}

function writeSettings(checkout: Checkout, key: string, from: string): void {
  const access = { key, sshFrom: [from] };
  const settings = {
    masters: { pool: "base" },
    pools: { base: { provider: cloud, region, instanceType: type, count: 1, masterFrom: [from], ...access } },
    burst: {
      pools: {
        overflow: {
          provider: cloud,
          regions: [region],
          market: ["on-demand"],
          types: { names: [type], burstable: true, cpu: [1, 4] },
          ...access,
        },
      },
      rules: [{ when: { pendingFor: "1s" } }],
      maxNodes: 1,
      budget: { perDay: 1 },
      retire: { idleFor: "10s", minimumLife: "10s", drainDeadline: "30s" },
    },
  };
  writeFileSync(
    join(checkout.directory, "stacks/environment", `Pulumi.${environment}.yaml`),
    stringify({ config: { "spillway:environment": settings } }),
  );
}

async function command(checkout: Checkout, ...words: string[]): Promise<string> {
  say(`./spillway ${words.join(" ")}`);
  const { code, stdout, stderr } = await checkout.spillway(words);
  if (code !== 0) throw new Error(`./spillway ${words.join(" ")} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}

function clientOf(checkout: Checkout): Client {
  const { url, ca, token } = readContext(checkout);
  return createClient({ url, ca, token });
}

/** Runs a task that only a second machine has room for. */
async function burst(checkout: Checkout): Promise<void> {
  const client = clientOf(checkout);
  try {
    const [node] = await client.nodes();
    const cpu = Math.floor((node?.capacity.cpu ?? 1000) * 0.7);
    await client.submitJob({ name: "overflow", command: ["sleep", "20"], count: 2, resources: { cpu, memory: 64 }, retries: 3 });
    const deadline = Date.now() + 15 * 60_000;
    let told = "";
    while (Date.now() < deadline) {
      const { rows } = await client.bursts({ all: true });
      const now = rows.map(({ id, state, hourly, why }) => `${id} ${state} (${hourly} USD/hour): ${why}`).join("; ");
      if (now !== told) say(now);
      told = now;
      const { state } = await client.job("overflow");
      if (state === "succeeded" && rows.length > 0 && rows.every((row) => row.state === "gone")) return;
      if (state === "failed") throw new Error("the job that needs a second machine has failed");
      await delay(2000);
    }
    throw new Error("no burst came and went within 15 min");
  } finally {
    client.dispose();
  }
}

async function left(environmentId: string): Promise<Listing> {
  return await providerOf(cloud).list(environmentId, {
    directory: "",
    hosts: [],
    identityOf: () => Promise.reject(new Error("no host is asked here")),
    clouds: { [cloud]: { regions: [region] } },
  });
}

async function main(): Promise<number> {
  const keys = mkdtempSync(join(tmpdir(), "spillway-smoke-"));
  const checkout = makeCheckout(environment);
  try {
    const key = join(keys, "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "spillway-smoke", "-f", key]);
    writeSettings(checkout, key, values.from ?? (await ownAddress()));
    await command(checkout, "prices", "refresh", environment);
    const priced = JSON.parse(
      await command(checkout, "prices", "list", "--cloud", cloud, "--region", region, "--type", type, "--output", "json"),
    ) as object;
    console.log(
      `\nTwo machines of type ${type} in ${cloud} ${region} for about ten minutes, ${longestHours} hours at the most. Their prices:\n${JSON.stringify(priced, undefined, 2)}\n`,
    );
    if (!values.yes) {
      const terminal = createInterface({ input: process.stdin, output: process.stdout });
      const answer = await terminal.question("Go on? (yes) ");
      terminal.close();
      if (answer !== "yes") return 1;
    }
    let environmentId: string | undefined;
    try {
      await command(checkout, "up", environment, "--yes");
      environmentId = readContext(checkout).environmentId;
      say((await command(checkout, "run", "--cpu", "0.1", "--memory", "32Mi", "--", "uname", "-a")).trim());
      await burst(checkout);
    } finally {
      await command(checkout, "destroy", environment, "--yes");
    }
    if (environmentId === undefined) return 1;
    const { machines, things } = await left(environmentId);
    for (const { machine } of machines) console.error(`LEFT: machine ${machine.providerId}`);
    for (const { kind, id } of things) console.error(`LEFT: ${kind} ${id}`);
    say(machines.length + things.length === 0 ? "nothing is left" : "something is left");
    return machines.length + things.length === 0 ? 0 : 1;
  } finally {
    checkout.remove();
    rmSync(keys, { recursive: true, force: true });
  }
}

process.exitCode = await main();
