import { expect, it } from "vitest";
import type { ResourceContext } from "../rpc.ts";
import { preflight } from "./preflight.ts";

const context: ResourceContext = {
  status: () => undefined,
  log: () => undefined,
  sentence: () => undefined,
  signal: new AbortController().signal,
};
const unreachable = { name: "b", problem: "machine b (192.0.2.2:22): it does not answer over SSH\n  Switch it on." };
const full = { name: "c", problem: "machine c (192.0.2.3:22): 3 MiB free on its disk, 600 MiB needed" };

it("lets pass when every host can be used", async () => {
  expect(await preflight.create({ hosts: [{ name: "a" }, { name: "b" }] }, context)).toEqual({ id: "preflight", outputs: {} });
});

it("names every host that can't be used at once, and that none was changed", async () => {
  await expect(preflight.create({ hosts: [{ name: "a" }, unreachable, full] }, context)).rejects.toMatchObject({
    code: "preflight-failed",
    message: [
      "2 of 3 hosts can't be used:",
      "- machine b (192.0.2.2:22): it does not answer over SSH",
      "    Switch it on.",
      "- machine c (192.0.2.3:22): 3 MiB free on its disk, 600 MiB needed",
      "No host was changed.",
    ].join("\n"),
  });
});

it("fails the update of an environment, one of whose hosts went bad since", async () => {
  const old = { hosts: [{ name: "b" }] };
  await expect(preflight.update("preflight", old, { hosts: [unreachable] }, context)).rejects.toMatchObject({
    message: expect.stringContaining("it does not answer over SSH"),
  });
});
