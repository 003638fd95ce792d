/** Provider side of `MachineSeed`. Nothing in the world: a key pair and a text that are made once and kept. */
import { z } from "zod";
import { makeSeedKey } from "../../../bootstrap/ssh/seed-key.ts";
import { userData } from "../../../providers/user-data.ts";
import type { ResourceHandler } from "../rpc.ts";

const inputs = z.object({ name: z.string(), user: z.string(), authorizedKeys: z.array(z.string()).min(1) });
const outputs = z.object({ userData: z.string(), hostKey: z.string() });
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const machineSeed: ResourceHandler<Inputs, Outputs> = {
  inputs,
  outputs,
  secrets: ["userData"],
  replaceOn: ["name", "user"],
  // They hold for machines that are born from now on.
  ignored: ["authorizedKeys"],

  async create({ name, user, authorizedKeys }) {
    const { fingerprint, ...hostKey } = makeSeedKey();
    return { id: name, outputs: { userData: userData({ user, authorizedKeys, hostKey }), hostKey: fingerprint } };
  },
  async read(_id, state) {
    return outputs.parse(state);
  },
  async update(_id, old) {
    return outputs.parse(old);
  },
  async delete() {},
};
