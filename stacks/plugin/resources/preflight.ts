/** Provider side of `Preflight`: names every host that can't be used at once, before any is changed. */
import { z } from "zod";
import { SpillwayError } from "../../../agent/contract/errors.ts";
import type { ResourceHandler } from "../rpc.ts";

const inputs = z.object({ hosts: z.array(z.object({ name: z.string(), problem: z.string().optional() })) });
const outputs = z.object({});
type Inputs = z.infer<typeof inputs>;

export const preflight: ResourceHandler<Inputs, object> = {
  inputs,
  outputs,
  secrets: [],

  async create(spec) {
    refuseProblems(spec);
    return { id: "preflight", outputs: {} };
  },

  async read() {
    return {};
  },

  async update(_id, _old, spec) {
    refuseProblems(spec);
    return {};
  },

  async delete() {},
};

function refuseProblems({ hosts }: Inputs): void {
  const problems = hosts.flatMap(({ problem }) => problem ?? []);
  if (problems.length === 0) return;
  const [first = ""] = problems;
  if (problems.length === 1) throw new SpillwayError(`${first}\nNo host was changed.`, { code: "preflight-failed" });
  const list = problems.map((problem) => `- ${problem.replaceAll("\n", "\n  ")}`).join("\n");
  throw new SpillwayError(`${problems.length} of ${hosts.length} hosts can't be used:\n${list}\nNo host was changed.`, {
    code: "preflight-failed",
  });
}
