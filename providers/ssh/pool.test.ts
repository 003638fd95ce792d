import { expect, it } from "vitest";
import type { Machine } from "../../agent/contract/machine.ts";
import type { HostIdentity } from "../provider.ts";
import { inventory, machineOfHost } from "./inventory.ts";
import { sshProvider } from "./pool.ts";

const hosts = inventory("spare", { hosts: ["a", "b", "c", "d"].map((host) => ({ host, hostKey: "SHA256:x" })) }, {}).map((host) =>
  machineOfHost("spare", host, {}),
);
const of = (environmentId: string, machine: string, burst?: string): HostIdentity => ({
  environmentId,
  environment: "prod",
  machine,
  burst,
});

function listed(words: Record<string, HostIdentity | Error | undefined>) {
  const identityOf = async ({ host }: Machine) => {
    const word = words[host];
    if (word instanceof Error) throw word;
    return word;
  };
  return sshProvider.list("env-a", { directory: "", hosts, identityOf, clouds: {} });
}

it("lists the hosts that say that they are the environment's, by the name and the burst they say", async () => {
  const { machines, unasked } = await listed({ a: of("env-a", "b-1-1", "b-1"), b: of("env-b", "b-2-1", "b-2"), d: of("env-a", "rack-d") });
  expect(machines).toEqual([
    { machine: { ...hosts[0], name: "b-1-1", burst: "b-1" }, environmentId: "env-a", burst: "b-1", status: "running" },
    { machine: { ...hosts[3], name: "rack-d" }, environmentId: "env-a", status: "running" },
  ]);
  expect(unasked).toEqual([]);
});

it("takes a host that can't be asked neither for ours nor for nobody's", async () => {
  const { machines, unasked } = await listed({ a: new Error("no route to host"), b: of("env-a", "b-1-1", "b-1") });
  expect(machines).toMatchObject([{ burst: "b-1" }]);
  expect(unasked).toEqual([{ machine: hosts[0], why: "no route to host" }]);
});

it("asks many hosts, a few at a time, and keeps their order", async () => {
  const many = Array.from({ length: 50 }, (_unused, index) => ({ ...(hosts[0] as Machine), name: `h${index}`, host: `h${index}` }));
  let [asked, most] = [0, 0];
  const identityOf = async ({ name }: Machine) => {
    asked += 1;
    most = Math.max(most, asked);
    await Promise.resolve();
    asked -= 1;
    return of("env-a", name, "b-1");
  };
  const { machines } = await sshProvider.list("env-a", { directory: "", hosts: many, identityOf, clouds: {} });
  expect(machines.map(({ machine }) => machine.name)).toEqual(many.map(({ name }) => name));
  expect(most).toBeLessThanOrEqual(16);
});
