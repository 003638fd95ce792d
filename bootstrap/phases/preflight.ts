/** Refuses, before anything is changed, a machine that can't carry the role; names everything that is wrong at once. */
import { whereOf } from "../../agent/contract/machine.ts";
import { readPortInUse } from "../commands/ports.ts";
import { readable } from "../commands/shell.ts";
import { type BootstrapContext, filledIn, type Phase } from "../context.ts";
import { type Expectations, type Finding, findingsOf, refusalOf } from "../findings.ts";
import { supervisionOf } from "../supervision.ts";
import { readMasterReach } from "./look.ts";

export const preflight: Phase = {
  title: "preflight",
  async run(context) {
    const { role, machine } = context.request;
    const refusal = refusalOf(await lookAround(context), { what: `take the ${role}`, where: whereOf(machine) });
    if (refusal !== undefined) throw refusal;
  },
};

/** Everything that is to be known before the machine is changed; the facts must be there. */
export async function lookAround(context: BootstrapContext): Promise<Finding[]> {
  const facts = filledIn(context.facts, "facts");
  const { machine, identity } = context.request;
  const [port, dials] = await Promise.all([portWanted(context), masterDialled(context)]);
  return findingsOf(facts, {
    user: machine.user,
    linked: machine.nodeBinary !== undefined,
    environmentId: identity?.environmentId,
    port,
    dials,
  });
}

async function portWanted(context: BootstrapContext): Promise<Expectations["port"]> {
  const { listenPort, role } = context.request;
  if (listenPort === undefined) return undefined;
  const remote = filledIn(context.remote, "remote");
  const layout = filledIn(context.layout, "layout");
  const supervision = supervisionOf(filledIn(context.facts, "facts"));
  const running = (await remote.read(supervision.readSupervised(layout, role))).stdout.includes("supervised");
  const inUse = !running && (await remote.read(readPortInUse(listenPort))).stdout.includes("in-use");
  return { number: listenPort, inUse };
}

async function masterDialled(context: BootstrapContext): Promise<Expectations["dials"]> {
  const { dials, dialVia } = context.request;
  const reach = readMasterReach({ dials, dialVia });
  if (dials === undefined || reach === undefined) return undefined;
  const answer = (await filledIn(context.remote, "remote").read(reach)).stdout.trim();
  return {
    to: dials,
    isTunnelled: dialVia !== undefined,
    problem: answer.startsWith("no-way=") ? readable(answer.slice("no-way=".length), 200) : undefined,
  };
}
