/** Provider side of `LocalMachine`. */
import { z } from "zod";
import { machine } from "../../../agent/contract/machine.ts";
import { resources } from "../../../agent/contract/resources.ts";
import { createLocalMachine, localProvider } from "../../../providers/local/pool.ts";
import type { ResourceHandler } from "../rpc.ts";

const inputs = z.object({
  environmentId: z.string(),
  name: z.string(),
  pool: z.string(),
  directory: z.string(),
  capacity: resources,
  labels: z.record(z.string(), z.string()),
  node: z.enum(["link", "upload"]),
  burst: z.string().optional().describe("the burst that buys it; missing in stacks of version 0.2, like the price"),
  price: z.object({ hourly: z.number() }).optional().describe("USD/hour, made up"),
});
const outputs = z.object({ machine, status: z.enum(["running", "stopped"]) });
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const localMachine: ResourceHandler<Inputs, Outputs> = {
  inputs,
  outputs,
  secrets: [],
  replaceOn: ["environmentId", "name", "directory"],
  needsMending: (state) => state.status !== "running",

  async create(spec, { status }) {
    status(`starting on this computer`);
    const made = await make(spec);
    return { id: made.providerId, outputs: { machine: made, status: "running" } };
  },

  async read(_id, state) {
    const status = await localProvider.status(state.machine);
    return status === "gone" ? undefined : { machine: state.machine, status: status === "running" ? status : "stopped" };
  },

  async update(_id, _old, spec, { status }) {
    status("starting on this computer");
    return { machine: await make(spec), status: "running" };
  },

  async delete(_id, state, { status }) {
    status("stopping");
    await localProvider.delete(state.machine);
  },
};

function make({ node, ...spec }: Inputs) {
  return createLocalMachine({ ...spec, nodeBinary: node === "link" ? process.execPath : undefined });
}
