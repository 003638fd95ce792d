/** What every provider of machines must do; run against each of them. */
import { afterEach, describe, expect, it } from "vitest";
import type { Machine } from "../../agent/contract/machine.ts";
import { connectSession } from "../../bootstrap/ssh/session.ts";
import type { ListScope, Provider } from "../../providers/provider.ts";
import { processAlive } from "../support/process-alive.ts";
import { waitUntil } from "../support/wait-until.ts";

export interface ProviderUnderTest {
  readonly provider: Provider;
  /** A key that its machines do not let in. */
  readonly strangeKey: (than: Machine) => Promise<Machine["credential"]>;
  /** Makes a machine of this name for this environment, all of them named alike, or finishes one that is half made. */
  readonly make: (name: string, environmentId: string, burst?: string) => Promise<Machine>;
  /** Takes its power away from outside, without a word to the provider. */
  readonly cutPower: (machine: Machine) => Promise<void>;
  /** Where `list` looks. */
  readonly scope: ListScope;
  /** Takes away whatever the test left. */
  readonly cleanUp: () => Promise<void>;
}

/** What holds for machines of every provider. */
export function providerContract(name: string, begin: () => Promise<ProviderUnderTest>): void {
  describe(`the provider ${name}`, () => {
    let under: ProviderUnderTest;
    const started = async () => {
      under = await begin();
      return under;
    };
    afterEach(async () => {
      await under.cleanUp();
    });

    it("makes a machine that presents the pinned host key and runs commands", async () => {
      const { provider, make } = await started();
      const machine = await make("one", "env-a");
      const session = await connectSession(machine);
      const result = await session.run(["sh", "-c", "cat; echo problem >&2; exit 7"], { stdin: "input" });
      session.close();
      expect(result).toEqual({ code: 7, stdout: "input", stderr: "problem\n" });
      expect(await provider.status(machine)).toBe("running");
    });

    it("refuses to be reached by another key, and a changed host key is refused by us", async () => {
      const { make, strangeKey } = await started();
      const one = await make("one", "env-a");
      const two = await make("two", "env-a");
      await expect(connectSession({ ...one, credential: await strangeKey(one) })).rejects.toMatchObject({ code: "ssh-auth-failed" });
      await expect(connectSession({ ...one, hostKey: two.hostKey })).rejects.toMatchObject({ code: "host-key-mismatch" });
    });

    it("gives the same machine when it is made again", async () => {
      const { make } = await started();
      const first = await make("one", "env-a");
      expect(await make("one", "env-a")).toEqual(first);
    });

    it("lists machines by their environment's tag, not by its name, each with the burst it belongs to", async () => {
      const { provider, make, scope } = await started();
      const [mine, other] = [await make("one", "env-a", "b-1"), await make("two", "env-b")];
      const tagged = {
        machine: { name: "one", providerId: mine.providerId, burst: "b-1" },
        environmentId: "env-a",
        burst: "b-1",
        status: "running",
      };
      expect(await provider.list("env-a", scope)).toMatchObject({ machines: [tagged], unasked: [] });
      const { machines } = await provider.list("env-b", scope);
      expect(machines).toMatchObject([
        { machine: { name: "two", providerId: other.providerId }, environmentId: "env-b", status: "running" },
      ]);
      expect(machines[0]).not.toHaveProperty("burst");
      expect(await provider.list("env-c", scope)).toEqual({ machines: [], things: [], unasked: [] });
    });

    it("lists a machine with everything that it takes to reach it", async () => {
      const { provider, make, scope } = await started();
      await make("one", "env-a", "b-1");
      const [listed] = (await provider.list("env-a", scope)).machines;
      if (listed === undefined) throw new Error("it was not listed");
      const session = await connectSession(listed.machine);
      expect((await session.run(["true"])).code).toBe(0);
      session.close();
    });
  });
}

/** What holds where machines are made, switched on and deleted by us. */
export function madeMachinesContract(name: string, begin: () => Promise<ProviderUnderTest>): void {
  describe(`the provider ${name}, which makes its machines`, () => {
    let under: ProviderUnderTest;
    const started = async () => {
      under = await begin();
      return under;
    };
    afterEach(async () => {
      await under.cleanUp();
    });

    it("lists a machine as it was made, and since when it is there", async () => {
      const { provider, make, scope, cutPower } = await started();
      const before = Date.now();
      const machine = await make("one", "env-a", "b-1");
      const { machines } = await provider.list("env-a", scope);
      expect(machines).toEqual([{ machine, environmentId: "env-a", burst: "b-1", status: "running", madeAt: expect.any(Number) }]);
      expect(machines[0]?.madeAt).toBeGreaterThanOrEqual(before);
      expect(machines[0]?.madeAt).toBeLessThanOrEqual(Date.now());
      await cutPower(machine);
      expect((await provider.list("env-a", scope)).machines).toMatchObject([{ machine, status: "stopped" }]);
    });

    it("knows the command by which a machine ends itself, with everything that runs on it", async () => {
      const { provider, make } = await started();
      const machine = await make("one", "env-a", "b-1");
      const session = await connectSession(machine);
      const begun = await session.run(["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"]);
      // It may be gone before it has answered.
      await session.run(provider.endCommand(machine)).catch(() => undefined);
      session.close();
      await waitUntil(
        "nothing runs on it",
        async () => (await provider.status(machine)) !== "running" && !processAlive(Number(begun.stdout)),
      );
    });

    it("tells a machine without power as stopped, and starts it at the same address with the same key", async () => {
      const { provider, make, cutPower } = await started();
      const machine = await make("one", "env-a");
      await cutPower(machine);
      expect(await provider.status(machine)).toBe("stopped");
      await provider.start(machine);
      const session = await connectSession(machine);
      expect((await session.run(["true"])).code).toBe(0);
      session.close();
    });

    it("deletes a machine with everything that runs on it, and once more without complaint", async () => {
      const { provider, make, scope } = await started();
      const machine = await make("one", "env-a");
      const session = await connectSession(machine);
      const begun = await session.run(["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"]);
      session.close();
      const pid = Number(begun.stdout);
      await provider.delete(machine);
      expect(processAlive(pid)).toBe(false);
      expect(await provider.status(machine)).toBe("gone");
      expect(await provider.list("env-a", scope)).toEqual({ machines: [], things: [], unasked: [] });
      await provider.delete(machine);
    });

    it("does not take a new machine for the deleted one of the same name", async () => {
      const { provider, make } = await started();
      const old = await make("one", "env-a");
      await provider.delete(old);
      const fresh = await make("one", "env-a");
      expect(fresh.providerId).not.toBe(old.providerId);
      expect(await provider.status(old)).toBe("gone");
      await expect(provider.start(old)).rejects.toMatchObject({ code: "machine-gone" });
      await provider.delete(old);
      expect(await provider.status(fresh)).toBe("running");
    });
  });
}

/** What holds for machines that their owner keeps: nothing is made, switched on or deleted. */
export function ownedMachinesContract(
  name: string,
  begin: () => Promise<ProviderUnderTest & { givePower(machine: Machine): Promise<void> }>,
): void {
  describe(`the provider ${name}, whose machines are its owner's`, () => {
    let cleanUp: (() => Promise<void>) | undefined;
    afterEach(async () => {
      await cleanUp?.();
    });

    it("tells a machine that does not answer as silent, since only its owner knows, and can't switch it on", async () => {
      const under = await begin();
      cleanUp = under.cleanUp;
      const machine = await under.make("one", "env-a");
      await under.cutPower(machine);
      expect(await under.provider.status(machine)).toBe("silent");
      await expect(under.provider.start(machine)).rejects.toMatchObject({ code: "machine-silent" });
      await under.givePower(machine);
      expect(await under.provider.status(machine)).toBe("running");
      await under.provider.start(machine);
    });

    it("tells which machine could not be asked whose it is, and why", async () => {
      const under = await begin();
      cleanUp = under.cleanUp;
      await under.make("one", "env-a", "b-1");
      const silent = await under.make("two", "env-a", "b-2");
      await under.cutPower(silent);
      const { machines, unasked } = await under.provider.list("env-a", under.scope);
      expect(machines).toMatchObject([{ machine: { name: "one" }, burst: "b-1" }]);
      expect(unasked).toMatchObject([{ machine: { providerId: silent.providerId }, why: expect.stringContaining(silent.host) }]);
    });

    it("leaves a machine as it is when it is deleted, and has no command that ends it", async () => {
      const under = await begin();
      cleanUp = under.cleanUp;
      const machine = await under.make("one", "env-a");
      expect(under.provider.endCommand(machine)).toEqual([]);
      await under.provider.delete(machine);
      expect(await under.provider.status(machine)).toBe("running");
      await under.provider.delete(machine);
    });
  });
}
