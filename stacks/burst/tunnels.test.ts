import { afterEach, expect, it } from "vitest";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import type { TunnelLine } from "../../bootstrap/ssh/tunnel-line.ts";
import { heldTunnels, type Tunnels, type TunnelTelling } from "./tunnels.ts";

interface Line extends TunnelLine {
  /** Whose it is. */
  readonly node: string;
  isClosed: boolean;
}

let tunnels: Tunnels | undefined;
let lines: Line[] = [];
let told: TunnelTelling[] = [];
/** Nodes whose machines do not answer now. */
let silent = new Set<string>();
let ending = new Set<string>();
afterEach(() => {
  tunnels?.close();
  [lines, told, silent, ending] = [[], [], new Set(), new Set()];
});

function aMachine(name: string, over: Partial<Machine> = {}): Machine {
  const credential = { kind: "agent" as const };
  const at = { host: "203.0.113.9", port: 22, user: "spillway", hostKey: "SHA256:own", credential };
  return { name, pool: "base", provider: "aws", providerId: `i-${name}`, ...at, labels: {}, attributes: {}, ...over };
}

function held(): Tunnels {
  tunnels = heldTunnels({
    async connect({ name }) {
      if (silent.has(name))
        throw new SpillwayError("it does not answer over SSH", { code: "ssh-unreachable", hint: "Look whether it is on." });
      const end = Promise.withResolvers<void>();
      const line: Line = {
        node: name,
        isClosed: false,
        listen: async () => "held",
        ended: end.promise,
        close() {
          line.isClosed = true;
          end.resolve();
        },
      };
      lines.push(line);
      return line;
    },
    tell: (telling) => told.push(telling),
    isEnding: (burst) => ending.has(burst),
  });
  return tunnels;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const open = () => lines.filter(({ isClosed }) => !isClosed).map(({ node }) => node);

it("holds one to each machine that is wanted, and lets go of the others", async () => {
  const all = held();
  all.want([aMachine("base-1"), aMachine("base-2")]);
  await until("both are open", () => open().length === 2);
  for (let times = 0; times < 2; times++) all.want([aMachine("base-2"), aMachine("base-3")]);
  await until("the first one went", () => open().join() === "base-2,base-3");
  expect(lines).toHaveLength(3);
  expect(told).toEqual([]);
});

it("keeps one whose machine is not told of once, as by a stack that is being written", async () => {
  const all = held();
  all.want([aMachine("base-1")]);
  await until("it is open", () => open().length === 1);
  all.want([]);
  all.want([aMachine("base-1")]);
  all.want([]);
  expect(open()).toEqual(["base-1"]);
  all.want([]);
  expect(open()).toEqual([]);
});

it("makes another one to a machine that has another key or address", async () => {
  const all = held();
  all.want([aMachine("base-1")]);
  await until("it is open", () => open().length === 1);
  for (let times = 0; times < 2; times++) all.want([aMachine("base-1", { hostKey: "SHA256:another" })]);
  await until("there is another", () => lines.length === 2 && open().length === 1);
});

it("tells the loss and the return, each once, with the node and its burst", async () => {
  held().want([aMachine("b-1-1", { burst: "b-1" })]);
  await until("it is open", () => open().length === 1);
  silent.add("b-1-1");
  lines[0]?.close();
  await until("its loss is told", () => told.length === 1);
  silent.clear();
  await until("its return is told", () => told.length === 2);
  expect(told).toEqual([
    {
      kind: "burst-tunnel-lost",
      burst: "b-1",
      message:
        "The tunnel to node b-1-1 is lost, by which it reaches the master; it is tried again until it is back: its SSH connection broke",
      data: { node: "b-1-1", pool: "base", host: "203.0.113.9" },
    },
    {
      kind: "burst-tunnel-back",
      burst: "b-1",
      message: "The tunnel to node b-1-1 is back",
      data: { node: "b-1-1", pool: "base", host: "203.0.113.9" },
    },
  ]);
});

it("tells nothing of a machine whose burst is about to go", async () => {
  ending.add("b-1");
  held().want([aMachine("b-1-1", { burst: "b-1" })]);
  await until("it is open", () => open().length === 1);
  lines[0]?.close();
  await until("it is open again", () => lines.length === 2);
  expect(told).toEqual([]);
});
