/**
 * `npm run bench:local`: seconds of up, no-op up and destroy for the environment local (medians), how long a job takes from
 * its submission to its process, what an idle agent and master hold in memory, and the bundle's bytes. Last line: JSON.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildBundle } from "../../agent/bundle/build.ts";
import { type Client, createClient } from "../../agent/contract/client.ts";
import { type Checkout, makeCheckout, readContext } from "../support/checkout.ts";
import { processesOf } from "../support/leftovers.ts";
import { waitUntil } from "../support/wait-until.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, jobs: { type: "string", default: "200" } } });

async function timed(checkout: Checkout, words: readonly string[]): Promise<number> {
  const begun = performance.now();
  const { code, stderr } = await checkout.spillway(words);
  if (code !== 0) throw new Error(`./spillway ${words.join(" ")} failed: ${stderr}`);
  return (performance.now() - begun) / 1000;
}

/** ms from the master's record of the submission to the agent's record of the process, one job after the other. */
async function startLatencies(client: Client, count: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let job = 0; job < count; job++) {
    const name = `bench-${job}`;
    const submitted = await client.submitJob({ name, command: ["true"], resources: { cpu: 100, memory: 16 } });
    let startedAt: number | undefined;
    await waitUntil("it is done", async () => {
      const { state, indexes } = await client.job(name);
      startedAt = indexes[0]?.attempts[0]?.startedAt;
      return state === "succeeded";
    });
    if (startedAt !== undefined) latencies.push(startedAt - submitted.job.submittedAt);
  }
  return latencies;
}

/** MiB of resident memory. */
function residentMiB(pid: number): number {
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024);
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

const rounded = (number: number) => Math.round(number * 10) / 10;
const checkout = makeCheckout();
try {
  const seconds = { up: [] as number[], noop: [] as number[], destroy: [] as number[] };
  let latencies: number[] = [];
  let memory = { agent: 0, master: 0 };
  for (let round = 0; round < Number(values.rounds); round++) {
    seconds.up.push(await timed(checkout, ["up", "local"]));
    seconds.noop.push(await timed(checkout, ["up", "local"]));
    if (round === 0) {
      const roles = processesOf(join(checkout.state, "machines"));
      const pidOf = (role: string) =>
        roles.find(({ command }) => command.includes(`agent.js ${role} `) && !command.startsWith("sh "))?.pid ?? 0;
      memory = { agent: residentMiB(pidOf("agent")), master: residentMiB(pidOf("master")) };
      const client = createClient(readContext(checkout));
      latencies = await startLatencies(client, Number(values.jobs));
      client.dispose();
    }
    seconds.destroy.push(await timed(checkout, ["destroy", "local", "--yes"]));
    console.error(`round ${round + 1}: ${JSON.stringify(seconds)}`);
  }
  const result = {
    upSeconds: rounded(quantile(seconds.up, 0.5)),
    noopSeconds: rounded(quantile(seconds.noop, 0.5)),
    destroySeconds: rounded(quantile(seconds.destroy, 0.5)),
    submitToStartMs: { p50: rounded(quantile(latencies, 0.5)), p99: rounded(quantile(latencies, 0.99)), jobs: latencies.length },
    idleResidentMiB: memory,
    bundleBytes: { host: (await buildBundle({ platform: "host" })).bytes, linuxX64: (await buildBundle({ platform: "linux-x64" })).bytes },
  };
  console.log(JSON.stringify(result));
} finally {
  checkout.remove();
}
