/**
 * `npm run bench:bootstrap`: 20 real hosts brought to one end state by the install action, by the whole `up`, by pyinfra
 * and by ansible-core, cold and with nothing to do, in turn; beside them the floor, a bare login that runs `true`.
 * Wall seconds (medians), CPU seconds of the contender and of the whole machine, which carries the hosts too, and the
 * peak of its largest process. Needs root on Linux. Last line: JSON.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cacheDirectory } from "../../agent/bundle/build.ts";
import { type Machine, machine } from "../../agent/contract/machine.ts";
import type { Container } from "../lab/support/container.ts";
import { bootLab } from "../lab/support/lab.ts";
import { writeRack } from "../lab/support/rack.ts";
import { outputOf } from "../lab/support/run-program.ts";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { checkEndState, type EndState, endStateOf, resetHost } from "./bootstrap/end-state.ts";
import { ansible, type Peer, pyinfra } from "./bootstrap/peers.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    hosts: { type: "string", default: "20" },
    only: { type: "string", multiple: true, default: [] },
    keep: { type: "boolean", default: false },
  },
});

interface Measured {
  readonly wall: number;
  /** Of the contender's own processes. */
  readonly cpu: number;
  /** Of everything on this machine meanwhile, the hosts among it. */
  readonly machineCpu: number;
  readonly peakMiB: number;
}

const here = join(import.meta.dirname, "bootstrap");

async function measured(directory: string, { command, env }: Peer, cwd = directory): Promise<Measured> {
  const log = join(directory, "contender.log");
  const before = busySeconds();
  const text = await outputOf(["python3", join(here, "measure.py"), log, cwd, ...command], {
    env: { ...(process.env as Record<string, string>), ...env },
    timeoutMs: 20 * 60_000,
  });
  const { code, wall, cpu, peakMiB } = JSON.parse(text) as { code: number; wall: number; cpu: number; peakMiB: number };
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${readFileSync(log, "utf8").slice(-4000)}`);
  return { wall, cpu, machineCpu: busySeconds() - before, peakMiB };
}

/** Seconds that this machine's processors have been busy since it started. */
function busySeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "")
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq) / 100;
}

interface Contender {
  readonly name: string;
  readonly peer: Peer;
  readonly cwd?: string;
  readonly check: (host: Container) => Promise<void>;
  /** What is to be taken away beside the hosts' own state. */
  readonly reset?: () => Promise<void>;
}

const node = process.execPath;
const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)] ?? Number.NaN;
const rounded = (number: number) => Math.round(number * 100) / 100;

function machinesOf(hosts: readonly Container[]): Machine[] {
  return hosts.map(({ name, address, hostKey, keyFile }) =>
    machine.parse({
      name,
      pool: "rack",
      provider: "ssh",
      providerId: `ssh://${address}:22`,
      host: address,
      port: 22,
      user: "root",
      hostKey,
      credential: { kind: "file", path: keyFile },
    }),
  );
}

function contenders(directory: string, hosts: readonly Container[], state: EndState, checkout: Checkout): Contender[] {
  const machines = machinesOf(hosts);
  const plan = join(directory, "plan.json");
  writeFileSync(plan, JSON.stringify({ machines, state }), { mode: 0o600 });
  writeFileSync(join(directory, "known_hosts"), hosts.map(({ address, hostPublicKey }) => `${address} ${hostPublicKey}\n`).join(""));
  const compiled = process.env.NODE_COMPILE_CACHE ?? join(cacheDirectory(), "compile-cache");
  const check = (host: Container) => checkEndState(host, state);
  writeRack(
    checkout,
    hosts.map((host) => ({ host, over: { user: "root" } })),
  );
  return [
    // The launcher keeps compiled code for every command of the product.
    { name: "action", peer: { command: [node, join(here, "action.ts"), plan], env: { NODE_COMPILE_CACHE: compiled } }, check },
    {
      name: "up",
      peer: { command: [join(checkout.directory, "spillway"), "up", "rack", "--yes"], env: {} },
      cwd: checkout.directory,
      check: async (host: Container) => void (await host.read(["systemctl", "--quiet", "is-active", "spillway-agent.service"])),
      reset: async () => rmSync(checkout.state, { recursive: true, force: true }),
    },
    { name: "pyinfra", peer: pyinfra(directory, machines, state), check },
    { name: "ansible", peer: ansible(directory, machines, state), check },
  ].filter(({ name }) => values.only.length === 0 || values.only.includes(name));
}

async function run(directory: string, hosts: readonly Container[], checkout: Checkout): Promise<void> {
  const state = await endStateOf(directory);
  const cold: Record<string, Measured[]> = {};
  const noop: Record<string, Measured[]> = {};
  const note = (into: Record<string, Measured[]>, name: string, kind: string, result: Measured) => {
    into[name] = [...(into[name] ?? []), result];
    const figures = `${rounded(result.wall)} s, ${rounded(result.cpu)} CPU s (whole machine ${rounded(result.machineCpu)}), peak ${Math.round(result.peakMiB)} MiB`;
    console.error(`${name} ${kind}: ${figures}`);
  };
  const all = contenders(directory, hosts, state, checkout);
  for (let round = 1; round <= Number(values.rounds); round++) {
    console.error(`round ${round} of ${values.rounds}`);
    // Each begins a round once, so that none always comes after the same one.
    for (const { name, peer, cwd, check, reset } of all.map((_, number) => all[(number + round) % all.length] as Contender)) {
      await Promise.all(hosts.map(resetHost));
      await reset?.();
      note(cold, name, "cold", await measured(directory, peer, cwd));
      await Promise.all(hosts.map(check));
      note(noop, name, "no-op", await measured(directory, peer, cwd));
      await Promise.all(hosts.map(check));
    }
    const floor: Peer = { command: [node, join(here, "floor.ts"), join(directory, "plan.json")], env: {} };
    note(noop, "floor", "no-op", await measured(directory, floor));
  }
  const table = (results: Record<string, Measured[]>, key: keyof Measured) =>
    Object.fromEntries(Object.entries(results).map(([name, list]) => [name, rounded(median(list.map((one) => one[key])))]));
  const figures = Object.fromEntries(
    (["cpu", "machineCpu", "peakMiB"] as const).map((key) => [key, { cold: table(cold, key), noop: table(noop, key) }]),
  );
  console.log(
    JSON.stringify({
      hosts: hosts.length,
      cold: table(cold, "wall"),
      noop: table(noop, "wall"),
      ...figures,
      rounds: Number(values.rounds),
    }),
  );
}

const directory = mkdtempSync(join(tmpdir(), "spillway-bench-"));
const checkout = makeCheckout("rack");
const lab = await bootLab({ hosts: Number(values.hosts) });
try {
  await run(directory, lab.hosts, checkout);
} finally {
  await lab.close();
  checkout.remove();
  if (!values.keep) rmSync(directory, { recursive: true, force: true });
}
