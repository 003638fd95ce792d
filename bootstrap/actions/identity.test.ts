import { afterEach, expect, it } from "vitest";
import { type SshHost, sshHost } from "../ssh/testing/ssh-host.ts";
import { readMachineIdentity } from "./identity.ts";

let host: SshHost | undefined;
afterEach(async () => {
  await host?.stop();
  host = undefined;
});

/** A host that answers every question with these facts. */
async function hostSaying(...facts: string[]) {
  const lines = ["os=Linux", "arch=x86_64", ...facts].map((line) => `printf '%s\\n' '${line}'`);
  host = await sshHost({ pretend: lines.join("; ") });
  return host.machine;
}

const identity = { environmentId: "env-a", environment: "prod", machine: "b-1-1", burst: "b-1" };

it("tells whose a machine is, and of which burst", async () => {
  const machine = await hostSaying("rights=sudo", `identity=${JSON.stringify(identity)}`);
  expect(await readMachineIdentity({ machine })).toEqual(identity);
});

it("tells a machine that is nobody's", async () => {
  expect(await readMachineIdentity({ machine: await hostSaying("rights=root", "identity=") })).toBeUndefined();
});

it("does not take what it may not read for nothing", async () => {
  const machine = await hostSaying("rights=none", "identity=");
  await expect(readMachineIdentity({ machine })).rejects.toMatchObject({ code: "rights-missing" });
});

it("asks nobody once it is cancelled", async () => {
  const machine = await hostSaying("rights=root");
  await expect(readMachineIdentity({ machine, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
});
