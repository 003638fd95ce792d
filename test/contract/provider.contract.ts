/** What every provider of machines must do; run against each of them. */
import { afterEach, describe, expect, it } from "vitest";
import type { Machine } from "../../agent/contract/machine.ts";
import { connectSession } from "../../bootstrap/ssh/session.ts";
import type { Provider } from "../../providers/provider.ts";
import { processAlive } from "../support/process-alive.ts";

export interface ProviderUnderTest {
  readonly provider: Provider;
  /** A key that its machines do not let in. */
  readonly strangeKey: (than: Machine) => Promise<Machine["credential"]>;
  /** Makes a machine of this name for this environment, or finishes one that is half made. */
  readonly make: (name: string, environmentId: string) => Promise<Machine>;
  /** Takes its power away from outside, without a word to the provider. */
  readonly cutPower: (machine: Machine) => Promise<void>;
  /** The scope that `list` is asked for. */
  readonly where: string;
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

    it("lists machines by their environment's tag and no others", async () => {
      const { provider, make, where } = await started();
      const mine = await make("one", "env-a");
      await make("two", "env-b");
      const listed = await provider.list("env-a", where);
      expect(listed).toEqual([{ providerId: mine.providerId, name: "one", environmentId: "env-a", status: "running" }]);
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
      const { provider, make, where } = await started();
      const machine = await make("one", "env-a");
      const session = await connectSession(machine);
      const begun = await session.run(["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"]);
      session.close();
      const pid = Number(begun.stdout);
      await provider.delete(machine);
      expect(processAlive(pid)).toBe(false);
      expect(await provider.status(machine)).toBe("gone");
      expect(await provider.list("env-a", where)).toEqual([]);
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

    it("leaves a machine as it is when it is deleted, and lists none as made for an environment", async () => {
      const under = await begin();
      cleanUp = under.cleanUp;
      const machine = await under.make("one", "env-a");
      expect(await under.provider.list("env-a", under.where)).toEqual([]);
      await under.provider.delete(machine);
      expect(await under.provider.status(machine)).toBe("running");
      await under.provider.delete(machine);
    });
  });
}
