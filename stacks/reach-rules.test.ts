import { describe, expect, it } from "vitest";
import { parseSettings } from "./settings.ts";
import { aws, azure, buying, inClouds, problemsOf } from "./testing/cloud-pools.ts";

const hostKey = `SHA256:${"A".repeat(43)}`;
const rack = { provider: "ssh", hosts: [{ host: "192.0.2.11", hostKey }] };
const reverse = { pool: "rack", reach: "reverse" };
const burst = (pools: object) => ({ pools, maxNodes: 1, budget: { perHour: 1 } });

describe("with tunnels to machines in clouds", () => {
  it("a master on a host needs no URL that they could dial", () => {
    expect(problemsOf({ masters: reverse, pools: { rack, base: aws({ masterFrom: undefined }) } })).toEqual([]);
    expect(problemsOf({ masters: reverse, pools: { rack }, burst: burst({ cloud: buying() }) })).toEqual([]);
  });

  it("even a master on this computer is reached, but by no host", () => {
    const local = { m: { provider: "local" } };
    const masters = { pool: "m", reach: "reverse" };
    expect(problemsOf({ masters, pools: { ...local, base: azure() }, burst: burst({ cloud: buying() }) })).toEqual([]);
    expect(problemsOf({ masters, pools: { ...local, base: aws(), rack } })).toEqual([
      "masters.pool: the hosts of pool \"rack\" can't dial a master on this computer's loopback; choose that pool for it",
    ]);
    const spare = { provider: "ssh", cpu: 1, memory: "1Gi", hosts: rack.hosts };
    expect(problemsOf({ masters, pools: { ...local, base: aws() }, burst: burst({ spare }) }).join()).toContain(
      "burst.pools.spare.provider: hosts can't dial a master on this computer's loopback",
    );
  });

  it("a master in a cloud is dialled there, and none is needed where nothing is in a cloud", () => {
    expect(problemsOf(inClouds({ masters: { pool: "base", reach: "reverse" } }))).toEqual([
      "masters.reach: reverse is for a master that clouds can't dial, and this one is in a cloud: leave it out",
    ]);
    expect(problemsOf({ masters: reverse, pools: { rack } })).toEqual([
      "masters.reach: reverse does nothing here: it is for machines in clouds, and there is no pool of them",
    ]);
  });

  it("the burster logs in to node pools too, and can ask nobody for a passphrase", () => {
    const jumps = { bastion: { host: "192.0.2.1", hostKey, key: "~/.ssh/id", keyPassphrase: "env:WORD" } };
    const asked = aws({ key: "~/.ssh/id", keyPassphrase: "ask", jump: "bastion" });
    expect(problemsOf({ masters: reverse, jumps, pools: { rack, base: asked } })).toEqual([
      "pools.base.keyPassphrase: must be file:~/PATH with masters.reach: reverse: the burster, which holds the tunnels, has nobody to ask and none of your variables",
      "pools.base.jump: the keyPassphrase of each jump host must be file:~/PATH with masters.reach: reverse: the burster, which holds the tunnels, has nobody to ask and none of your variables",
    ]);
    const told = aws({ key: "~/.ssh/id", keyPassphrase: "file:~/word" });
    expect(problemsOf({ masters: reverse, pools: { rack, base: told } })).toEqual([]);
  });
});

it("machines in clouds dial the master, unless it is written otherwise", () => {
  expect(parseSettings({ masters: { pool: "rack" }, pools: { rack } }).masters.reach).toBe("direct");
  expect(problemsOf({ masters: { pool: "rack", reach: "both" }, pools: { rack } }).join()).toContain("masters.reach");
});
