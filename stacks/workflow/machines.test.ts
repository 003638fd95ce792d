import { describe, expect, test } from "vitest";
import { findMachine, machinesIn, noSuchMachine } from "./machines.ts";

const aMachine = (name: string, host = "192.0.2.1") => ({
  name,
  pool: "rack",
  provider: "ssh",
  providerId: `ssh://${host}:22`,
  host,
  port: 22,
  user: "ops",
  hostKey: "SHA256:x",
  credential: { kind: "agent" },
});
const urn = (type: string, name: string) => `urn:pulumi:prod::spillway::spillway:index:${type}::${name}`;

describe("the machines in a stack's state", () => {
  test("are those of every provider, with what stands against them; all else is left out", () => {
    const exported = {
      manifest: {},
      resources: [
        {
          urn: urn("Authority", "authority"),
          type: "spillway:index:Authority",
          outputs: { environmentId: "id-1", adminToken: { secret: 1 } },
        },
        { urn: urn("SshMachine", "h1"), type: "spillway:index:SshMachine", outputs: { machine: aMachine("h1"), problem: "no room" } },
        { urn: urn("LocalMachine", "m-1"), type: "spillway:index:LocalMachine", outputs: { machine: aMachine("m-1") } },
        { urn: urn("SshMachine", "half-made"), type: "spillway:index:SshMachine" },
        { urn: urn("Node", "node-h1"), type: "spillway:index:Node", outputs: { machine: aMachine("h1") } },
      ],
    };
    expect(machinesIn(exported)).toMatchObject({
      environmentId: "id-1",
      machines: [
        { machine: { name: "h1" }, problem: "no room", urn: urn("SshMachine", "h1") },
        { machine: { name: "m-1" }, problem: undefined },
      ],
    });
  });

  test("are none in a stack that holds nothing yet", () => {
    for (const exported of [undefined, null, {}, { resources: [] }]) {
      expect(machinesIn(exported)).toEqual({ environmentId: undefined, machines: [], ids: new Set(), isComplete: false, hasRoles: false });
    }
  });
});

describe("a machine that a person typed", () => {
  const all = [aMachine("h1", "192.0.2.1"), aMachine("h2", "192.0.2.2"), aMachine("m-1", "127.0.0.1"), aMachine("m-2", "127.0.0.1")];
  const find = (typed: string) => findMachine(all, (machine) => machine, typed)?.name;

  test("is found by its name, or by an address that it alone has", () => {
    expect([find("h2"), find("192.0.2.1"), find("127.0.0.1"), find("h3")]).toEqual(["h2", "h1", undefined, undefined]);
  });

  test("but is not there, is told with what was probably meant", () => {
    expect(noSuchMachine("prod", "rack17", [{ name: "rack-17" }, { name: "rack-17" }]).hint).toBe("Did you mean rack-17?");
    expect(noSuchMachine("prod", "database", [{ name: "h1" }, { name: "h1" }, { name: "h2" }]).hint).toBe("It has h1, h2.");
    expect(noSuchMachine("prod", "h1", []).hint).toContain("./spillway up prod");
  });
});
