/** What the crash tests through the real engine share: an environment of two machines, jobs with retries, and the final count. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type Checkout, makeCheckout } from "./checkout.ts";
import { processesOf } from "./leftovers.ts";
import { waitUntil } from "./wait-until.ts";

/** A checkout whose environment `local` has two machines and quick timers. */
export function makeSmallCheckout(): Checkout {
  const checkout = makeCheckout();
  const pools = "{ m: { provider: local, count: 2 } }";
  const settings = `config:\n  spillway:environment:\n    masters: { pool: m }\n    pools: ${pools}\n    heartbeat: { interval: 250ms, suspectAfter: 2s, disconnectedAfter: 4s, lostAfter: 8s }\n`;
  writeFileSync(join(checkout.directory, "stacks/environment/Pulumi.local.yaml"), settings);
  return checkout;
}

/** A second try must do what the first could not finish. */
export async function untilDone(checkout: Checkout, words: readonly string[], env: Record<string, string>): Promise<void> {
  const first = await checkout.spillway(words, { env });
  if (first.code === 0) return;
  const second = await checkout.spillway(words);
  expect(second, `${words.join(" ")}\nfirst: ${first.stderr}\nsecond: ${second.stderr}`).toMatchObject({ code: 0 });
}

/** Jobs of which one fails at first; each index ends with exactly one recorded success. */
export async function runJobs(checkout: Checkout): Promise<void> {
  for (const [name, command] of [
    ["steady", ["sh", "-c", "sleep 0.1"]],
    ["stubborn", ["sh", "-c", 'test "$SPILLWAY_ATTEMPT" -ge 2']],
  ] as const) {
    const submit = [
      "run",
      "--detach",
      "--name",
      name,
      "--cpu",
      "0.2",
      "--memory",
      "32Mi",
      "--retries",
      "3",
      "--count",
      name === "steady" ? "4" : "1",
      "--",
    ];
    await waitUntil(`${name} is submitted`, async () => (await checkout.spillway([...submit, ...command])).code === 0, 30_000);
  }
  for (const name of ["steady", "stubborn"]) {
    await waitUntil(
      `${name} is done`,
      async () => {
        const shown = await checkout.spillway(["jobs", "show", name, "--output", "json"]);
        if (shown.code !== 0) return false;
        const job = JSON.parse(shown.stdout) as { state: string; indexes: { attempts: { state: string }[] }[] };
        if (job.state !== "succeeded") return false;
        for (const { attempts } of job.indexes) expect(attempts.filter((attempt) => attempt.state === "succeeded")).toHaveLength(1);
        return true;
      },
      60_000,
    );
  }
}

/** No process, no directory but the logs, nothing for git. */
export async function expectNothingLeft(checkout: Checkout): Promise<void> {
  // The plugin of a killed engine ends itself within half a second.
  await waitUntil("the last process has ended", () => processesOf(checkout.directory).length === 0, 5000).catch((cause: unknown) => {
    throw new Error(`${String(cause)}\n${JSON.stringify(processesOf(checkout.directory), undefined, 2)}`, { cause });
  });
  expect(readdirSync(checkout.state)).toEqual(["logs"]);
  expect(checkout.gitStatus()).toBe("");
}
